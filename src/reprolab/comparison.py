"""Measured against published figures, with what the size of the test part and the seeds can tell."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from reprolab.errors import InputError, choice
from reprolab.files import read_csv, read_json
from reprolab.results import has_run

SCORES = ("accuracy", "macro_f1", "loss")
# Published figures, and what may be their largest value. Those of one epoch have no measured counterpart: the sheets
# looked at the test set after each epoch, and here it is read once, after the training.
MEASURABLE = {
    "accuracy": 1,
    "macro_f1": 1,
    "loss": math.inf,
    "train_accuracy": 1,
    "parameters": math.inf,
    "epoch_seconds": math.inf,
}
OF_A_MACHINE = ("epoch_seconds",)  # a difference between two machines says nothing
BEST_EPOCH, AFTER_EPOCH = "best_epoch_accuracy", "accuracy_after_epoch_<n>"
BASELINE_COLUMNS = ("dataset", "experiment", "metric", "value", "sheet", "condition")
CONFIDENCE = 0.95

Row = dict[str, Any]


def load_baselines(path: Path) -> list[Row]:
    """Published figures. Raises `InputError` that names the line of a bad one."""
    rows: list[Row] = []
    for line, row in enumerate(read_csv(path), start=2):
        if missing := [column for column in BASELINE_COLUMNS if row.get(column) is None]:
            raise InputError(f"{path}, line {line}: lacks {', '.join(missing)}")
        metric = row["metric"]
        if metric not in (*MEASURABLE, BEST_EPOCH) and not re.fullmatch(r"accuracy_after_epoch_[1-9]\d*", metric):
            allowed = [*MEASURABLE, BEST_EPOCH, AFTER_EPOCH]
            raise InputError(choice(f"{path}, line {line}: unknown metric", metric, allowed))
        if None in row:
            raise InputError(
                f"{path}, line {line}: more than {len(BASELINE_COLUMNS)} cells; quote one with a comma in it"
            )
        try:
            value = float(row["value"])
        except ValueError:
            value = math.nan
        most = MEASURABLE.get(metric, 1)
        if not (0 <= value <= most and math.isfinite(value)):
            raise InputError(
                f"{path}, line {line}: found the value '{row['value']}'; {metric} is a number from 0 to {most}"
            )
        if any(all(row[key] == other[key] for key in ("dataset", "experiment", "metric")) for other in rows):
            raise InputError(f"{path}, line {line}: a second {metric} of {row['experiment']}; keep one")
        rows.append({**row, "value": value})
    return rows


def compare(dataset: str, experiments: Sequence[str], metrics: Path, baselines: Sequence[Row]) -> list[Row]:
    """A row for each experiment of a data set, in the given order.

    `metrics` holds `<experiment>/test.json`; one whose results are not complete has `accuracy` None: it was not run.
    `low` and `high` bound Wilson's 95 % interval of the accuracy on this many test images (Wilson 1927), and
    `published_is` says where the published accuracy lies: inside it, below or above. `published` lists every
    published figure of the experiment beside the measured one. Raises `InputError` when `metrics` is missing.
    """
    if not metrics.is_dir():
        raise InputError(f"{metrics} is missing: run `dvc repro compare@{dataset}`")
    rows = []
    for name in experiments:
        published = [row for row in baselines if (row["dataset"], row["experiment"]) == (dataset, name)]
        folder = metrics / name
        done = has_run(folder)
        row = _row(name, read_json(folder / "test.json") if done else None, published)
        row["published"] = _beside_measured(published, _measured(folder) if done else None)
        rows.append(row)
    return rows


def leftovers(experiments: Sequence[str], metrics: Path) -> list[Path]:
    """Results in `metrics` of experiments that `params.yaml` does not have any more."""
    return sorted(path for path in metrics.glob("*/") if path.name not in experiments)


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Bounds of the accuracy that this many test images allow (Wilson 1927, equation for a binomial proportion)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = (accuracy + z**2 / (2 * images)) / (1 + z**2 / images)
    reach = z / (1 + z**2 / images) * math.sqrt(accuracy * (1 - accuracy) / images + z**2 / (4 * images**2))
    return round(centre - reach, 6), round(centre + reach, 6)


def _row(name: str, test: Row | None, published: Sequence[Row]) -> Row:
    row: Row = {"experiment": name}
    for score in SCORES:
        row[score] = test[score] if test else None
        row[f"{score}_std"] = test.get(f"{score}_std") if test else None
    accuracy = next((figure for figure in published if figure["metric"] == "accuracy"), None)
    row |= {"low": None, "high": None, "difference": None, "published_is": None}
    for key, source in (("published_accuracy", "value"), ("sheet", "sheet"), ("condition", "condition")):
        row[key] = accuracy[source] if accuracy else None
    for key in ("seeds", "images", "parameters", "trainable_parameters", "images_per_second", "provenance"):
        row[key] = test[key] if test else None
    row["stand_in"] = row["provenance"] not in (None, "official")
    if test:
        row["low"], row["high"] = wilson_interval(test["accuracy"], test["images"])
        if accuracy:
            figure = accuracy["value"]
            row["difference"] = round(test["accuracy"] - figure, 6)
            row["published_is"] = "below" if figure < row["low"] else "above" if figure > row["high"] else "inside"
    return row


def _measured(folder: Path) -> Row:
    """Every figure of an experiment that may have a published counterpart, with `<figure>_std` over its seeds."""
    test, train = read_json(folder / "test.json"), read_json(folder / "train.json")
    epochs = {(row["seed"], row["epoch"]) for row in read_csv(folder / "curves.csv")}
    figures = {key: test.get(key) for score in (*SCORES, "parameters") for key in (score, f"{score}_std")}
    figures |= {key: train.get(key) for key in ("train_accuracy", "train_accuracy_std")}
    return figures | {"epoch_seconds": round(train["seconds"] / len(epochs), 3), "device": train["device"]}


def _beside_measured(published: Sequence[Row], measured: Row | None) -> list[Row]:
    """`status` is "measured", "not run", or "not measured" where this lab has no such figure; `device` is where."""
    rows = []
    for figure in published:
        metric = figure["metric"]
        row = {key: figure[key] for key in ("metric", "value", "sheet", "condition")}
        row |= {"measured": None, "measured_std": None, "difference": None, "device": None, "status": "not run"}
        if metric not in MEASURABLE:
            row["status"] = "not measured"
        elif measured:
            row |= {"measured": measured[metric], "measured_std": measured.get(f"{metric}_std"), "status": "measured"}
            row["device"] = measured["device"]
            if metric not in OF_A_MACHINE:
                row["difference"] = round(measured[metric] - figure["value"], 6)
        rows.append(row)
    return rows
