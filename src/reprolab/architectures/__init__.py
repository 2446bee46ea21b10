"""One file an architecture: its file name is its name in `params.yaml`.

Each defines `build(shape, classes, *, ...)`, which returns a freshly initialised network from float inputs
(n, *shape) to logits (n, classes). Its keyword-only parameters are the options of `params.yaml`. Where `shape` has
the type `tuple[int, int, int]` the architecture needs images (channels, height, width); with `tuple[int, ...]` it
takes tables (features,) too.

A file may define `imagenet(**options)`, an entry whose `url` has the ImageNet weights that fit these options, or a
ValueError; and `check(experiment)`, a ValueError for an experiment that the architecture cannot be trained by.
"""
