"""Figures of comparisons: bars of accuracies, learning curves side by side."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from reprolab.evaluation.drawing import save_figure
from reprolab.reports.figures import comparison_figure, learning_figure
from reprolab.reports.record import PublishedFigure
from reprolab.training.record import CurvePoint
from tests.figures import COMPARISON, CURVES, FIGURES, LEARNING, comparison_row, legend_entries, point, tick_labels


def error_bars(axes: Axes) -> list[tuple[float, float, float]]:
    """Low end, value and high end of the horizontal error bars that are drawn."""
    bars = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    segments = [(bar[2][0].get_segments(), bar[0].get_xdata()) for bar in bars]
    return [(ends[0][0][0], values[0], ends[0][1][0]) for ends, values in segments if len(values)]


def test_comparison_is_labelled_and_says_what_was_not_run() -> None:
    figure = FIGURES["comparison"]()
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel()) == ("digits", "test accuracy")
    assert tick_labels(axes.yaxis) == ["measured", "unpublished", "published (not run)", "nothing (not run)"]
    assert legend_entries(figure) == {"measured, 95 % interval", "published"}


def test_comparison_explains_its_signs_only_where_it_has_them() -> None:
    figure = comparison_figure("digits", [comparison_row("unpublished", 0.8, None, stand_in=True, provenance="copy")])
    assert tick_labels(figure.axes[0].yaxis) == ["unpublished †"]
    assert figure.axes[0].get_xlabel() == "test accuracy   († on a copy)"
    assert legend_entries(figure) == {"measured, 95 % interval"}


def test_comparison_draws_intervals_and_published_figures_from_the_top_down() -> None:
    (axes,) = FIGURES["comparison"]().axes
    assert error_bars(axes) == [pytest.approx((0.89, 0.9, 0.92)), pytest.approx((0.79, 0.8, 0.82))]
    diamonds = [line for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())]  # type: ignore[arg-type]
    assert [line.get_xydata().tolist() for line in diamonds] == [[[0.95, 0]], [[0.97, 2]]]  # type: ignore[union-attr]
    assert axes.yaxis_inverted()


def test_comparison_of_experiments_that_were_never_run_is_drawn(tmp_path: Path) -> None:
    save_figure(comparison_figure("digits", COMPARISON[2:]), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def panels(figure: Figure) -> list[list[Axes]]:
    columns = figure.axes[0].get_subplotspec().get_gridspec().ncols  # type: ignore[union-attr]
    return [figure.axes[start : start + columns] for start in range(0, len(figure.axes), columns)]


def test_learning_has_a_column_for_each_experiment_and_a_row_for_each_score() -> None:
    figure = FIGURES["learning"]()
    rows = panels(figure)
    assert [row[0].get_ylabel() for row in rows] == ["loss", "macro-F1", "accuracy"]
    assert [axes.get_title() for axes in rows[0]] == ["linear", "later", "deep"]
    assert [axes.get_xlabel() for axes in rows[-1]] == ["epoch", "", "epoch"]
    assert legend_entries(figure) == {"train", "validation"}
    assert figure.get_suptitle() == "depth (thin: each seed, bold: their mean)"


def test_learning_draws_the_scores_on_one_scale_a_row() -> None:
    rows = panels(FIGURES["learning"]())
    for row, scale in zip(rows, (1, 0.01, 0.1), strict=True):
        assert len({axes.get_ylim() for axes in row}) == 1
        assert [len(axes.lines) for axes in row] == [2, 0, 6]
        means = [(np.asarray(line.get_ydata(), float) / scale).round(6).tolist() for line in row[0].lines]
        assert means == [[1, 2, 3], [6, 7, 8]]


def test_learning_has_what_is_published_after_epochs_dashed_beside_the_measured_curves() -> None:
    def published(metric: str, epoch: int | None, value: float) -> PublishedFigure:
        about = {"sheet": "lab9", "condition": "", "status": "measured"}
        return PublishedFigure.model_validate({"metric": metric, "epoch": epoch, "value": value} | about)

    accuracies = [published("validation_accuracy", epoch, epoch / 4) for epoch in (1, 2)]
    others = [published("train_loss", 3, 1.5), published("accuracy", None, 0.9)]
    figure = learning_figure("depth", LEARNING, {"deep": [*accuracies, *others], "later": accuracies})
    rows = panels(figure)
    assert [[len(axes.lines) for axes in row] for row in rows] == [[2, 0, 7], [2, 0, 6], [2, 0, 7]]
    for axes, color, points in (
        (rows[0][2], "tab:blue", [[3], [1.5]]),
        (rows[2][2], "tab:orange", [[1, 2], [0.25, 0.5]]),
    ):
        line = axes.lines[-1]
        assert (line.get_linestyle(), line.get_color()) == ("--", color)
        assert [list(line.get_xdata()), list(line.get_ydata())] == points  # type: ignore[arg-type]
    assert legend_entries(figure) == {"train", "validation", "train, published", "validation, published"}


def test_learning_marks_the_epochs_of_all_columns_or_of_none() -> None:
    def markers(curves: Mapping[str, list[CurvePoint]]) -> set[str]:
        lines = [line for axes in learning_figure("depth", curves).axes for line in axes.lines]
        return {str(line.get_marker()) for line in lines if line.get_label() == "train"}

    long = [point(0, epoch, "train", 1) for epoch in range(1, 32)]
    assert markers({"short": CURVES}) == {"o"}
    assert markers({"short": CURVES, "long": long}) == {""}


def test_learning_says_what_was_not_run(tmp_path: Path) -> None:
    assert [[[text.get_text() for text in axes.texts] for axes in row] for row in panels(FIGURES["learning"]())] == [
        [[], ["not run"], []]
    ] * 3
    save_figure(learning_figure("depth", {"later": None}), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000
