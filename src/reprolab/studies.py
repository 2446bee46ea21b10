"""A study: what the training curves and the test scores of a few experiments say side by side.

The gap between training and validation is small in underfitting and wide in overfitting.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reprolab.errors import InputError
from reprolab.files import read_csv, read_json
from reprolab.results import has_run

PARTS = ("train", "validation")
SCORES = ("loss", "accuracy", "macro_f1")
MOMENTS = ("last", "kept")

Row = dict[str, Any]
Curves = Sequence[Mapping[str, str]]


def study_curves(experiments: Sequence[str], metrics: Path) -> dict[str, Curves | None]:
    """The rows of each experiment's curves.csv, in the given order; None for one that has not run.

    Raises `InputError` when `metrics` is missing.
    """
    if not metrics.is_dir():
        raise InputError(f"{metrics} is missing: run `dvc repro compare@{metrics.name}`")
    return {name: read_csv(metrics / name / "curves.csv") if has_run(metrics / name) else None for name in experiments}


def study_rows(curves: Mapping[str, Curves | None], metrics: Path) -> list[Row]:
    """A row for each experiment; all rows have the same keys, and `not_run` is true where the rest is None.

    `last_<part>_<score>` are means over the seeds after the last epoch, `kept_<part>_<score>` at the epochs that the
    weights are from (`kept_epochs`, one a seed); parts are train and validation. `<moment>_<score>_gap` is train less
    validation. `accuracy`, `macro_f1` and `loss` are those of the test part.
    """
    return [_row(name, rows, metrics / name) for name, rows in curves.items()]


def _row(name: str, curves: Curves | None, folder: Path) -> Row:
    row: Row = {"experiment": name, "not_run": not curves}
    row |= dict.fromkeys(("seeds", "epochs", "kept_epochs"))
    row |= dict.fromkeys(key for score in SCORES for key in (score, f"{score}_std"))
    for moment in MOMENTS:
        row |= dict.fromkeys(f"{moment}_{part}_{score}" for score in SCORES for part in PARTS)
        row |= dict.fromkeys(f"{moment}_{score}_gap" for score in SCORES)
    if not curves:
        return row
    test, train = read_json(folder / "test.json"), read_json(folder / "train.json")
    row |= {key: test.get(key) for score in SCORES for key in (score, f"{score}_std")}
    row |= {
        "seeds": test["seeds"],
        "epochs": max(int(epoch["epoch"]) for epoch in curves),
        "kept_epochs": train["epochs"],
    }
    for score in SCORES:
        for part in PARTS:
            row[f"last_{part}_{score}"] = _last(curves, part, score)
            row[f"kept_{part}_{score}"] = train.get(f"{part}_{score}")
        for moment in MOMENTS:
            seen, unseen = (row[f"{moment}_{part}_{score}"] for part in PARTS)
            row[f"{moment}_{score}_gap"] = None if seen is None or unseen is None else round(seen - unseen, 6)
    return row


def _last(curves: Curves, part: str, score: str) -> float | None:
    """The mean over the seeds after each one's last epoch; None when the part was not scored."""
    last: dict[str, tuple[int, float]] = {}
    for row in curves:
        if row["part"] == part:
            last[row["seed"]] = max(last.get(row["seed"], (0, 0.0)), (int(row["epoch"]), float(row[score])))
    return round(fmean(value for _, value in last.values()), 6) if last else None
