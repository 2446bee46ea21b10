"""What the learning curves of an experiment come to: scores and gaps at its last and its best epochs."""

from collections.abc import Sequence
from dataclasses import fields
from statistics import fmean
from typing import Literal

from reprolab.reports.record import LearningRow
from reprolab.training.record import CurvePoint, PartName, Scores, TrainRecord

SCORES = tuple(field.name for field in fields(Scores))


def learning_rows(curves: Sequence[CurvePoint], train: TrainRecord) -> list[LearningRow]:
    """A row for the last epochs and, where they are others, one for the best epochs; both have one epoch a seed.

    The scores at the last epochs are from `curves`, those at the best ones from `train`.
    """
    last = _last_points(curves, "train")
    last_epochs = [last[seed].epoch for seed in dict.fromkeys(point.seed for point in curves)]
    rows = [_row("last", last_epochs, _last_scores(curves, "train"), _last_scores(curves, "validation"))]
    if train.best_epochs != last_epochs:
        rows.append(_row("best", train.best_epochs, _best_scores(train, "train"), _best_scores(train, "validation")))
    return rows


def _row(
    moment: Literal["last", "best"], epochs: list[int], train: Scores | None, validation: Scores | None
) -> LearningRow:
    assert train is not None
    return LearningRow(moment=moment, epochs=epochs, train=train, validation=validation, gap=_gap(train, validation))


def _gap(train: Scores, validation: Scores | None) -> Scores | None:
    if validation is None:
        return None
    return Scores(**{name: round(getattr(train, name) - getattr(validation, name), 6) for name in SCORES})


def _last_points(curves: Sequence[CurvePoint], part: PartName) -> dict[int, CurvePoint]:
    """Each seed's point after its last epoch."""
    points = sorted((point for point in curves if point.part == part), key=lambda point: point.epoch)
    return {point.seed: point for point in points}


def _last_scores(curves: Sequence[CurvePoint], part: PartName) -> Scores | None:
    last = _last_points(curves, part).values()
    if not last:
        return None
    return Scores(**{name: round(fmean(getattr(point, name) for point in last), 6) for name in SCORES})


def _best_scores(train: TrainRecord, part: PartName) -> Scores | None:
    values = {name: getattr(train, f"{part}_{name}") for name in SCORES}
    return None if None in values.values() else Scores(**values)
