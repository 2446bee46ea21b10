"""Measured against published figures, with what the size of the test part and the seeds can tell."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from reprolab.errors import InputError, choice
from reprolab.files import read_csv, read_json

SCORES = ("accuracy", "macro_f1", "loss")
BASELINE_COLUMNS = ("dataset", "experiment", "metric", "value", "sheet", "condition")
CONFIDENCE = 0.95

Row = dict[str, Any]


def load_baselines(path: Path) -> list[Row]:
    """Published figures. Raises `InputError` that names the line of a bad one."""
    rows: list[Row] = []
    for line, row in enumerate(read_csv(path), start=2):
        if missing := [column for column in BASELINE_COLUMNS if row.get(column) is None]:
            raise InputError(f"{path}, line {line}: lacks {', '.join(missing)}")
        if row["metric"] not in SCORES:
            raise InputError(choice(f"{path}, line {line}: unknown metric", row["metric"], SCORES))
        if None in row:
            raise InputError(
                f"{path}, line {line}: more than {len(BASELINE_COLUMNS)} cells; quote one with a comma in it"
            )
        try:
            value = float(row["value"])
        except ValueError:
            value = math.nan
        most = math.inf if row["metric"] == "loss" else 1
        if not (0 <= value <= most and math.isfinite(value)):
            raise InputError(
                f"{path}, line {line}: found the value '{row['value']}'; {row['metric']} is a number from 0 to {most}"
            )
        if any(all(row[key] == other[key] for key in ("dataset", "experiment", "metric")) for other in rows):
            raise InputError(f"{path}, line {line}: a second {row['metric']} of {row['experiment']}; keep one")
        rows.append({**row, "value": value})
    return rows


def compare(dataset: str, experiments: Sequence[str], metrics: Path, baselines: Sequence[Row]) -> list[Row]:
    """A row for each experiment of a data set, in the given order.

    `metrics` holds `<experiment>/test.json`; an experiment without it has `accuracy` None: it was not run.
    `low` and `high` bound Wilson's 95 % interval of the accuracy on this many test images (Wilson 1927), and
    `published_is` says where the published accuracy lies: inside it, below or above. Raises `InputError` when
    `metrics` is missing.
    """
    if not metrics.is_dir():
        raise InputError(f"{metrics} is missing: run `dvc repro compare@{dataset}`")
    rows = []
    for name in experiments:
        published = {row["metric"]: row for row in baselines if (row["dataset"], row["experiment"]) == (dataset, name)}
        test = metrics / name / "test.json"
        rows.append(_row(name, read_json(test) if test.exists() else None, published))
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


def _row(name: str, test: Row | None, published: dict[str, Row]) -> Row:
    row: Row = {"experiment": name}
    for score in SCORES:
        row[score] = test[score] if test else None
        row[f"{score}_std"] = test.get(f"{score}_std") if test else None
        row[f"published_{score}"] = published[score]["value"] if score in published else None
    row |= {
        "low": None,
        "high": None,
        "difference": None,
        "published_is": None,
        "sheet": next((figure["sheet"] for figure in published.values()), None),
        "condition": next((figure["condition"] for figure in published.values()), None),
    }
    for key in ("seeds", "images", "parameters", "images_per_second", "provenance"):
        row[key] = test[key] if test else None
    row["stand_in"] = row["provenance"] not in (None, "official")
    if test:
        row["low"], row["high"] = wilson_interval(test["accuracy"], test["images"])
        if (figure := row["published_accuracy"]) is not None:
            row["difference"] = round(test["accuracy"] - figure, 6)
            row["published_is"] = "below" if figure < row["low"] else "above" if figure > row["high"] else "inside"
    return row
