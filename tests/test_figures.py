"""Figures: what they show, and that their bytes depend on it alone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from reprolab.evaluation.drawing import save_figure
from reprolab.evaluation.figures import (
    classes_figure,
    confusion_figure,
    curves_figure,
    loss_figure,
    steps_figure,
)
from reprolab.reports.figures import learning_figure
from reprolab.training.record import PartName
from tests.figures import CURVES, FIGURES, confusion_row, legend_entries, point, step_losses, tick_labels
from tests.result_factories import make_class_row


@pytest.mark.parametrize("name", FIGURES)
def test_same_figure_has_the_same_bytes(name: str, tmp_path: Path) -> None:
    paths = [tmp_path / "folder" / "first.png", tmp_path / "second.png"]
    for path in paths:
        save_figure(FIGURES[name](), path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Software" not in first
    height, width = imread(paths[0]).shape[:2]
    assert height > 150 and width > 300


def test_curves_have_an_axis_for_each_score() -> None:
    figure = FIGURES["curves"]()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "macro-F1"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    assert legend_entries(figure) == {"train", "validation"}
    assert figure.get_suptitle() == "mlp (thin: each seed, bold: their mean)"


@pytest.mark.parametrize(("axis", "scale"), [(0, 1), (1, 0.1), (2, 0.01)])
def test_curves_show_each_seed_and_the_mean(axis: int, scale: float) -> None:
    lines: dict[str, list[list[float]]] = {"train": [], "validation": []}
    for line in FIGURES["curves"]().axes[axis].lines:
        assert list(line.get_xdata()) == [1, 2, 3]  # type: ignore[arg-type]
        part = {"tab:blue": "train", "tab:orange": "validation"}[str(line.get_color())]
        lines[part].append((np.asarray(line.get_ydata(), float) / scale).round(6).tolist())
    assert lines == {
        "train": [[1, 2, 3], [3, 4, 5], [2, 3, 4]],
        "validation": [[6, 7, 8], [8, 9, 10], [7, 8, 9]],
    }


def test_curves_of_one_seed_without_validation_are_one_line() -> None:
    figure = curves_figure("mlp", [row for row in CURVES if row.seed == 2 and row.part == "train"])
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 1]
    assert legend_entries(figure) == {"train"}


def test_a_seed_that_has_ended_counts_with_its_last_score() -> None:
    curves = [row for row in CURVES if row.part == "train" and (row.seed, row.epoch) not in {(0, 2), (0, 3)}]
    lines = curves_figure("mlp", curves).axes[0].lines
    assert [np.asarray(line.get_ydata(), float).tolist() for line in lines] == [[1], [3, 4, 5], [2, 2.5, 3]]
    assert [list(line.get_xdata()) for line in lines] == [[1], [1, 2, 3], [1, 2, 3]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        # From the highest loss to a tenth of the lowest one on validation; nearly nothing on training is cut off.
        ([40, 2, 1e-6], [20, 1, 1.5], ("log", 0.1 / 1.2, 48)),
        ([40, 2, 0.5], [20, 1, 1.5], ("log", 0.5 / 1.2, 48)),
        ([40, 2, 1], [], ("log", 1 / 1.2, 48)),
        ([3, 2, 1e-6], [2, 1, 1.5], ("linear", None, None)),
        ([3, 2, 1], [], ("linear", None, None)),
        ([3, 2, 0], [], ("linear", None, None)),
    ],
)
def test_losses_that_fall_far_have_a_logarithmic_axis(
    train: list[float], validation: list[float], expected: tuple[str, float | None, float | None]
) -> None:
    parts: dict[PartName, list[float]] = {"train": train, "validation": validation}
    curves = [point(0, epoch, part, loss) for part, losses in parts.items() for epoch, loss in enumerate(losses, 1)]
    steps = step_losses(0, [1.0] * 6)
    scale, low, high = expected
    for figure in (
        curves_figure("mlp", curves),
        learning_figure("depth", {"a": curves, "b": None}),
        steps_figure("mlp", steps, curves),
    ):
        axes = figure.axes[0]
        assert (axes.get_yscale(), figure.axes[-1].get_yscale()) == (scale, "linear")
        if low:
            assert axes.get_ylim() == pytest.approx((low, high))


def test_scores_by_step_are_those_of_the_first_seed_where_its_epochs_lie() -> None:
    figure = FIGURES["steps"]()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "macro-F1"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"step"}
    assert legend_entries(figure) == {"each step", "train", "validation"}
    each, *_ = (np.asarray(line.get_ydata(), float).tolist() for line in figure.axes[0].lines)
    assert each == list(range(12, 0, -1))
    # Four steps an epoch: means of training in the middle of them, validation after them.
    for axes, scale in zip(figure.axes, (1, 0.1, 0.01), strict=True):
        train, validation = axes.lines[-2:]
        assert list(train.get_xdata()) == [2, 6, 10]  # type: ignore[arg-type]
        assert list(validation.get_xdata()) == [4, 8, 12]  # type: ignore[arg-type]
        assert np.asarray(train.get_ydata(), float) / scale == pytest.approx([1, 2, 3])
        assert np.asarray(validation.get_ydata(), float) / scale == pytest.approx([6, 7, 8])


def test_confusion_shows_shares_with_counts_and_leaves_empty_cells_blank() -> None:
    axes = FIGURES["confusion"]().axes[0]
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "75.0%\n30"),
        ((1, 0), "25.0%\n10"),
        ((1, 1), "100.0%\n7"),
    }
    shares = axes.images[0].get_array()
    assert shares is not None and shares.tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_confusion_is_labelled() -> None:
    axes, bar = FIGURES["confusion"]().axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
    assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis) == ["cat", "dog"]
    assert bar.get_ylabel() == "share of the actual class"
    assert "mlp" in axes.get_title()


def test_confusion_has_a_row_and_a_column_for_each_of_many_long_names() -> None:
    names = [f"a long class name {index}" for index in range(12)]
    rows = [confusion_row(actual, predicted, 1, 1 / 12) for actual in names for predicted in names]
    axes = confusion_figure("mlp", rows).axes[0]
    assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis) == names
    assert len(axes.texts) == 144


def test_loss_shows_the_first_seed_s_steps_and_their_moving_average() -> None:
    (axes,) = FIGURES["loss"]().axes
    raw, mean = axes.lines
    losses = 10 / np.arange(1, 201)
    assert raw.get_xydata().tolist() == [[step, loss] for step, loss in enumerate(losses, 1)]  # type: ignore[union-attr]
    x, y = np.asarray(mean.get_xdata(), float), np.asarray(mean.get_ydata(), float)
    assert len(x) == 141 and (x[0], x[-1]) == (30.5, 170.5)
    np.testing.assert_allclose([y[0], y[-1]], [losses[:60].mean(), losses[-60:].mean()])
    assert mean.get_linewidth() > 2 * raw.get_linewidth()


def test_loss_is_labelled() -> None:
    figure = FIGURES["loss"]()
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("mlp, seed 4: training loss", "step", "loss")
    assert legend_entries(figure) == {"each step", "moving average of 60 steps"}


@pytest.mark.parametrize(
    ("losses", "scale"),
    [(np.linspace(2, 1, 100), "linear"), (np.geomspace(2, 0.001, 200), "log"), ([9.0] * 90 + [0.0] * 90, "linear")],
    ids=["little change", "great change", "zeros"],
)
def test_loss_is_logarithmic_where_that_is_legible(losses: Iterable[float], scale: str) -> None:
    assert loss_figure("mlp", step_losses(0, losses)).axes[0].get_yscale() == scale


def test_one_lucky_step_does_not_squeeze_the_loss() -> None:
    low, high = loss_figure("mlp", step_losses(0, [1e-12, *np.geomspace(2, 0.01, 300)])).axes[0].get_ylim()
    assert low > 1e-4 and high > 2


def test_loss_of_few_steps_has_no_moving_average() -> None:
    figure = loss_figure("mlp", step_losses(0, [2.0, 1.0]))
    assert legend_entries(figure) == {"each step"}
    assert len(figure.axes[0].lines) == 1


def test_classes_show_the_accuracy_of_each_from_the_top_down() -> None:
    figure = FIGURES["classes"]()
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.95, 0.91, 0.0]  # type: ignore[attr-defined]
    assert [text.get_text() for text in axes.texts] == ["0.9500", "0.9100", "no test example"]
    assert tick_labels(axes.yaxis) == ["cat", "dog", "emu"]
    assert axes.yaxis_inverted()
    assert legend_entries(figure) == {"each class", "all: 0.9400"}
    assert "recall" in axes.get_xlabel()


@pytest.mark.parametrize(
    ("recalls", "low"), [([1.0, 0.9], 0.85), ([1.0, 1.0], 0.99), ([1.0, 0.0], 0.0), ([0.3], 0.0), ([0.999], 0.99)]
)
def test_classes_are_zoomed_to_the_lowest(recalls: list[float], low: float) -> None:
    rows = [make_class_row(str(index), 5, recall) for index, recall in enumerate(recalls)]
    (axes,) = classes_figure("mlp", rows).axes
    left, right = axes.get_xlim()
    assert left == pytest.approx(low, abs=0.011) and f"starts at {left:g}" in axes.get_xlabel()
    assert left < min(recalls) or left == 0
    assert right > 1 and max(axes.get_xticks()) <= 1 + 1e-6
