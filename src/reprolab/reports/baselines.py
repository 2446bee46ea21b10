"""Published figures, from `data/baselines.csv`."""

import math
import re
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
# Those of one epoch have no measured counterpart: the sheets looked at the test set after each epoch, and here it is
# read once, after the training.
BEST_EPOCH, AFTER_EPOCH = "best_epoch_accuracy", "accuracy_after_epoch_<n>"


class Baseline(Record):
    """A row of `baselines.csv`: what `sheet` publishes for an experiment, and under which `condition`."""

    dataset: str
    experiment: str
    metric: str
    value: float
    sheet: str
    condition: str


COLUMNS = tuple(Baseline.model_fields)


def load_baselines(path: Path) -> list[Baseline]:
    """Published figures. Raises `InputError` that names the line of a bad one."""
    found: dict[tuple[str, str, str], Baseline] = {}
    for line, row in enumerate(read_cells(path), start=2):
        where = f"{path}, line {line}"
        if missing := [column for column in COLUMNS if row.get(column) is None]:
            raise InputError(f"{where}: lacks {', '.join(missing)}")
        metric = row["metric"]
        if metric not in (*MEASURABLE, BEST_EPOCH) and not re.fullmatch(r"accuracy_after_epoch_[1-9]\d*", metric):
            raise InputError(choice(f"{where}: unknown metric", metric, [*MEASURABLE, BEST_EPOCH, AFTER_EPOCH]))
        if None in row:
            raise InputError(f"{where}: more than {len(COLUMNS)} cells; quote one with a comma in it")
        baseline = Baseline(
            dataset=row["dataset"],
            experiment=row["experiment"],
            metric=metric,
            value=_value(row["value"], metric, where),
            sheet=row["sheet"],
            condition=row["condition"],
        )
        identity = (baseline.dataset, baseline.experiment, metric)
        if identity in found:
            raise InputError(f"{where}: a second {metric} of {baseline.experiment}; keep one")
        found[identity] = baseline
    return list(found.values())


def baselines_of(dataset: str, experiment: str, baselines: Iterable[Baseline]) -> list[Baseline]:
    """The figures that are published for one experiment, in their order."""
    return [row for row in baselines if (row.dataset, row.experiment) == (dataset, experiment)]


def _value(text: str, metric: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    most = MEASURABLE.get(metric, 1)
    if not (0 <= value <= most and math.isfinite(value)):
        raise InputError(f"{where}: found the value '{text}'; {metric} is a number from 0 to {most}")
    return value
