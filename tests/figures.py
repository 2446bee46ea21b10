"""A figure of each kind, of small made-up results."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from reprolab.evaluation.figures import (
    classes_figure,
    confusion_figure,
    curves_figure,
    loss_figure,
    steps_figure,
)
from reprolab.evaluation.record import ConfusionRow
from reprolab.reports.figures import comparison_figure, learning_figure
from reprolab.reports.record import ComparisonRow
from reprolab.training.record import CurvePoint, PartName, StepLoss
from tests.result_factories import make_class_row, make_row


def tick_labels(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def legend_entries(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()}


def point(seed: int, epoch: int, part: PartName, score: float) -> CurvePoint:
    return CurvePoint(seed=seed, epoch=epoch, part=part, loss=score, accuracy=score / 10, macro_f1=score / 100)


def confusion_row(actual: str, predicted: str, count: int, share: float) -> ConfusionRow:
    return ConfusionRow(actual=actual, predicted=predicted, count=count, share=share)


def comparison_row(experiment: str, accuracy: float | None, published: float | None, **values: Any) -> ComparisonRow:
    measured = {"accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.02} if accuracy else {}
    return make_row(experiment, published_accuracy=published, **measured, **values)


def step_losses(seed: int, losses: Iterable[float]) -> list[StepLoss]:
    return [StepLoss(seed=seed, step=step, loss=loss) for step, loss in enumerate(losses, 1)]


PARTS: dict[PartName, int] = {"train": 0, "validation": 5}
CURVES = [
    point(seed, epoch, part, seed + epoch + offset)
    for part, offset in PARTS.items()
    for seed in (0, 2)
    for epoch in (1, 2, 3)
]
CONFUSION = [
    confusion_row("cat", "cat", 30, 0.75),
    confusion_row("cat", "dog", 10, 0.25),
    confusion_row("dog", "cat", 0, 0.0),
    confusion_row("dog", "dog", 7, 1.0),
]
COMPARISON = [
    comparison_row("measured", 0.9, 0.95),
    comparison_row("unpublished", 0.8, None),
    comparison_row("published", None, 0.97),
    comparison_row("nothing", None, None),
]
CLASSES = [make_class_row("cat", 30, 0.95), make_class_row("dog", 10, 0.91), make_class_row("emu", 0, 0.0)]
LEARNING = {"linear": [row for row in CURVES if row.seed == 0], "later": None, "deep": CURVES}
FIGURES: dict[str, Callable[[], Figure]] = {
    "curves": lambda: curves_figure("mlp", CURVES),
    "confusion": lambda: confusion_figure("mlp", CONFUSION),
    "comparison": lambda: comparison_figure("digits", COMPARISON),
    "loss": lambda: loss_figure("mlp", step_losses(4, 10 / np.arange(1, 201)) + step_losses(5, [99.0])),
    "classes": lambda: classes_figure("mlp", CLASSES),
    "learning": lambda: learning_figure("depth", LEARNING),
    "steps": lambda: steps_figure("mlp, seed 0", step_losses(0, range(12, 0, -1)) + step_losses(2, [99.0]), CURVES),
}
