"""One file a loss: its file name is its name in `params.yaml`.

`build(*, ...)` returns the mean loss of logits (n, classes) for labels (n,) as a function.
"""
