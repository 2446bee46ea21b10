"""What a study leaves behind: a row for each training, the points that they make up, and the best of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from reprolab.core.errors import InputError
from reprolab.core.files import Record, read_cells, write_cells
from reprolab.core.study import Dimension, Range, Settings, Study


class Summary(Record):
    """`<study>.json`: counts of trainings, and the best point's objective: its mean over seeds and folds, their number
    and standard deviation."""

    points: int
    trainings: int
    pruned: int
    failed: int
    best_point: int
    best: float
    best_n: int
    best_std: float | None = None


@dataclass(frozen=True)
class TrialRow:
    """A row of `<study>.csv`: one training. Scores are those of the epoch that was kept, of a pruned training those of
    its last one. `settings` have a column each, named by the ends of their keys."""

    point: int
    settings: dict[str, str]
    seed: int
    fold: int | None
    share: float | None
    state: str
    best_epoch: int | None
    train_loss: float | None
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    validation_macro_f1: float | None
    clean_accuracy: float | None
    identity: str
    reason: str


COLUMNS = [field.name for field in fields(TrialRow) if field.name != "settings"]
WHOLE, TEXT = ("point", "seed", "fold", "best_epoch"), ("state", "identity", "reason")
OPTIONAL = ("fold", "share", "clean_accuracy")  # columns that are there for the studies that have them


@dataclass(frozen=True)
class Point:
    """One setting of the space and its trainings; `scores` are the objectives of those that finished."""

    number: int
    rows: Sequence[TrialRow]
    scores: list[float]

    @property
    def settings(self) -> dict[str, str]:
        return self.rows[0].settings

    @property
    def share(self) -> float | None:
        return self.rows[0].share

    @property
    def is_whole(self) -> bool:
        return len(self.scores) == len(self.rows)

    @property
    def mean(self) -> float:
        return fmean(self.scores)

    @property
    def std(self) -> float | None:
        return stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def clean(self) -> list[float]:
        return [row.clean_accuracy for row in self.rows if row.clean_accuracy is not None]

    @property
    def loss(self) -> float:
        """On the validation part."""
        return fmean(row.validation_loss for row in self.rows if row.validation_loss is not None)


def save_rows(path: Path, rows: Sequence[TrialRow]) -> None:
    absent = [name for name in OPTIONAL if all(getattr(row, name) is None for row in rows)]
    cells = []
    for row in rows:
        values = asdict(row)
        settings = values.pop("settings")
        ordered = {"point": values.pop("point"), **settings, **values}
        cells.append({name: value for name, value in ordered.items() if name not in absent})
    write_cells(path, cells)


def load_rows(path: Path) -> list[TrialRow]:
    """Raises `InputError` where the file is missing or damaged."""
    needed = [name for name in COLUMNS if name not in OPTIONAL]
    cells = read_cells(path, needed)
    if not cells:
        raise InputError(f"{path} is damaged (it has no rows): run `dvc repro -f study@{path.stem}`")
    try:
        return [_row(row) for row in cells]
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}): run `dvc repro -f study@{path.stem}`") from None


def points_of(study: Study, rows: Sequence[TrialRow]) -> list[Point]:
    grouped: dict[int, list[TrialRow]] = {}
    for row in rows:
        grouped.setdefault(row.point, []).append(row)
    return [
        Point(number, found, [getattr(row, study.objective) for row in found if row.state == "finished"])
        for number, found in grouped.items()
    ]


def ranked(study: Study, points: Sequence[Point]) -> list[Point]:
    """Those whose trainings all finished, the best one first; of equals that with the lower loss."""
    sign = -1 if study.maximizes else 1
    return sorted((point for point in points if point.is_whole), key=lambda point: (sign * point.mean, point.loss))


def summary(study: Study, rows: Sequence[TrialRow]) -> Summary:
    """Raises `InputError` where no point has all of its trainings."""
    points = points_of(study, rows)
    order = ranked(study, points)
    if not order:
        reason = next((row.reason for row in rows if row.reason), "they were pruned")
        raise InputError(f"no point of the study has all of its trainings; the first that failed: {reason}")
    states = [row.state for row in rows]
    return Summary(
        points=len(points),
        trainings=len(rows),
        pruned=states.count("pruned"),
        failed=states.count("failed"),
        best_point=order[0].number,
        best=round(order[0].mean, 6),
        best_n=len(order[0].scores),
        best_std=round(order[0].std, 6) if order[0].std is not None else None,
    )


def settings_of(study: Study, settings: dict[str, str]) -> Settings:
    """By their whole keys, the values that a row has as text."""
    dimensions = study.dimensions()
    names = short_keys([dimension.key for dimension in dimensions])
    return {dimension.key: _value(dimension, settings[name]) for dimension, name in zip(dimensions, names, strict=True)}


def shown_settings(settings: Settings) -> dict[str, str]:
    """By the shortest ends of the keys that tell them apart, the values as text."""
    return dict(zip(short_keys(list(settings)), map(shown_value, settings.values()), strict=True))


def shown_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def short_keys(keys: Sequence[str]) -> list[str]:
    """`lr` for `training.optimizer.lr`, where no other key ends with it."""
    shorts = []
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-length:]) for length in range(1, len(parts))]
        taken = [f".{other}" for other in keys if other != key]
        free = (end for end in ends if end not in COLUMNS and not any(o.endswith(f".{end}") for o in taken))
        shorts.append(next(free, key))
    return shorts


def _value(dimension: Dimension, text: str) -> Any:
    values = dimension.values
    if isinstance(values, Range):
        return int(text) if values.is_whole else float(text)
    return next(value for value in values if shown_value(value) == text)


def _row(cells: dict[str, str]) -> TrialRow:
    def typed(name: str) -> Any:
        text = cells.get(name, "")
        if name in TEXT:
            return text
        return None if text == "" else int(text) if name in WHOLE else float(text)

    if None in cells or None in cells.values():
        raise ValueError("a row has not one cell for each column")
    settings = {name: text for name, text in cells.items() if name not in COLUMNS}
    row = TrialRow(settings=settings, **{name: typed(name) for name in COLUMNS})
    if row.state == "finished" and None in (row.validation_loss, row.validation_accuracy, row.validation_macro_f1):
        raise ValueError("a training that finished lacks a score")
    return row
