"""What the stages leave of an experiment in `metrics/<dataset>/<experiment>`."""

from pathlib import Path

RESULTS = ("train.json", "curves.csv", "test.json")


def has_run(folder: Path) -> bool:
    """Whether every file of the results is there.

    DVC removes what a stage writes before it runs the stage. So a training that failed or still runs leaves the test
    scores of the former one, which are no result any more.
    """
    return all((folder / name).exists() for name in RESULTS)
