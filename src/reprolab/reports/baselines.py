"""Published figures, from `data/baselines.csv`: of a whole training, or after one of its epochs."""

import math
from collections.abc import Iterable
from pathlib import Path

from reprolab.core.errors import InputError, choice
from reprolab.core.files import Record, read_cells

# Figures that this lab measures too, and what may be their largest value.
MEASURABLE = {
    "accuracy": 1,
    "macro_f1": 1,
    "loss": math.inf,
    "train_accuracy": 1,
    "parameters": math.inf,
    "epoch_seconds": math.inf,
}
EPOCH_SECONDS = "epoch_seconds"  # a cost, and as such beside those of `reprolab measure`
# It has no measured counterpart: the sheet looked at the test set after each epoch, and here it is read once, after the
# training.
BEST_EPOCH = "best_epoch_accuracy"
OF_A_TRAINING = {**MEASURABLE, BEST_EPOCH: 1}
# Those after an epoch are measured on the parts that `curves.csv` has.
OF_AN_EPOCH = {
    f"{part}_{score}": math.inf if score == "loss" else 1
    for part in ("train", "validation")
    for score in ("loss", "accuracy", "macro_f1")
}


class Baseline(Record):
    """A row of `baselines.csv`: what `sheet` publishes for an experiment, and under which `condition`; after which
    `epoch`, where it is no figure of the whole training."""

    dataset: str
    experiment: str
    metric: str
    epoch: int | None = None
    value: float
    sheet: str
    condition: str


COLUMNS = tuple(Baseline.model_fields)


def load_baselines(path: Path) -> list[Baseline]:
    """Published figures. Raises `InputError` that names the line of a bad one."""
    found: dict[tuple[str, str, str, int | None], Baseline] = {}
    for line, row in enumerate(read_cells(path, COLUMNS), start=2):
        where = f"{path}, line {line}"
        if missing := [column for column in COLUMNS if row.get(column) is None]:
            raise InputError(f"{where}: lacks {', '.join(missing)}")
        if None in row:
            raise InputError(f"{where}: more than {len(COLUMNS)} cells; quote one with a comma in it")
        metric, epoch = row["metric"], _epoch(row["epoch"], where)
        allowed = OF_AN_EPOCH if epoch else OF_A_TRAINING
        if metric not in allowed:
            raise InputError(
                choice(f"{where}: unknown metric of {'an epoch' if epoch else 'a training'}", metric, allowed)
            )
        baseline = Baseline(
            dataset=row["dataset"],
            experiment=row["experiment"],
            metric=metric,
            epoch=epoch,
            value=_value(row["value"], metric, allowed[metric], where),
            sheet=row["sheet"],
            condition=row["condition"],
        )
        identity = (baseline.dataset, baseline.experiment, metric, epoch)
        if identity in found:
            after = f" after epoch {epoch}" if epoch else ""
            raise InputError(f"{where}: a second {metric} of {baseline.experiment}{after}; keep one")
        found[identity] = baseline
    return list(found.values())


def baselines_of(dataset: str, experiment: str, baselines: Iterable[Baseline]) -> list[Baseline]:
    """The figures that are published for one experiment, in their order."""
    return [row for row in baselines if (row.dataset, row.experiment) == (dataset, experiment)]


def _epoch(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InputError(f"{where}: found the epoch '{text}'; it is a whole number from 1 on, or empty")
    return int(text)


def _value(text: str, metric: str, most: float, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value <= most and math.isfinite(value)):
        raise InputError(f"{where}: found the value '{text}'; {metric} is a number from 0 to {most}")
    return value
