"""One file an optimizer: its file name is its name in `params.yaml`.

`build(parameters, *, lr, ...)` returns PyTorch's optimizer of them.
"""
