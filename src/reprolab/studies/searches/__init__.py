"""One file a search: its file name is its name in `params.yaml`.

`build(*, ...)` returns a `Plan`.
"""
