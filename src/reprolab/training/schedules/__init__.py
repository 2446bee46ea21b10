"""One file a learning-rate schedule: its file name is its name in `params.yaml`.

`build(optimizer, epochs, steps_per_epoch, *, ...)` returns a scheduler that takes a step a batch.
"""
