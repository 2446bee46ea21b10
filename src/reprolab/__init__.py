"""A lab whose every result is reproducible: typed experiments, one training loop, measured comparisons.

The pipeline in `dvc.yaml` calls the scripts in `stages/`; each of them calls this library once.
"""
