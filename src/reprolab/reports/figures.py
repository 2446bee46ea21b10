"""Figures of experiments side by side: their accuracies and their learning curves. Without PyTorch."""

from collections.abc import Mapping, Sequence

from reprolab.evaluation.canvas import Figure, Line2D, as_written, own_settings, subplots
from reprolab.evaluation.figures import (
    COLORS,
    SCORES,
    Curves,
    are_few,
    draw_curves,
    scale_losses,
    seeds_in_title,
)
from reprolab.reports.record import ComparisonRow, PublishedFigure


@own_settings()
def comparison_figure(title: str, rows: Sequence[ComparisonRow]) -> Figure:
    """Accuracy of each experiment with its 95 % interval, beside the published figure."""
    figure, axis = subplots(figsize=(8, 1.6 + 0.45 * len(rows)), layout="constrained")
    for position, row in enumerate(rows):
        if row.accuracy is not None and row.low is not None and row.high is not None:
            reach = [[row.accuracy - row.low], [row.high - row.accuracy]]
            axis.errorbar(row.accuracy, position, xerr=reach, fmt="o", color="tab:blue", capsize=4)
        if row.published_accuracy is not None:
            axis.plot(row.published_accuracy, position, "D", color="tab:red", fillstyle="none", zorder=3)
    names = [row.experiment + " †" * row.stand_in + " (not run)" * (not row.has_run) for row in rows]
    axis.set_yticks(range(len(rows)), names)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    stand_ins = dict.fromkeys(row.provenance for row in rows if row.stand_in)
    axis.set(title=as_written(title), xlabel="test accuracy" + "".join(f"   († on a {name})" for name in stand_ins))
    axis.errorbar([], [], xerr=[], fmt="o", color="tab:blue", capsize=4, label="measured, 95 % interval")
    if any(row.published_accuracy is not None for row in rows):
        axis.plot([], [], "D", color="tab:red", fillstyle="none", label="published")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axis.grid(axis="x", alpha=0.3)
    return figure


@own_settings()
def learning_figure(
    title: str,
    experiments: Mapping[str, Curves | None],
    published: Mapping[str, Sequence[PublishedFigure]] | None = None,
) -> Figure:
    """A column for each experiment, a row for each score with one scale; None stands for an experiment not run.

    What is `published` of an experiment after its epochs is dashed, in the colour of its part.
    """
    run = [curves for curves in experiments.values() if curves]
    scores = ("loss", "macro_f1", "accuracy")
    size = (max(6, 1 + 2.8 * len(experiments)), 7.5)
    figure, axes = subplots(3, len(experiments), figsize=size, sharey="row", squeeze=False, layout="constrained")
    figure.suptitle(as_written(title) + seeds_in_title(run))
    marker = "o" if all(are_few(curves) for curves in run) else ""
    parts: dict[str, Line2D] = {}
    for column, (name, curves) in zip(axes.T, experiments.items(), strict=True):
        column[0].set_title(name)
        column[-1].set_xlabel("epoch" if curves else "")
        for axis, score in zip(column, scores, strict=True):
            if curves:
                parts |= draw_curves(axis, curves, score, marker)
            else:
                axis.text(0.5, 0.5, "not run", ha="center", va="center", color="gray", transform=axis.transAxes)
                axis.set_xticks([])
            for part, color in COLORS.items():
                found = [figure for figure in (published or {}).get(name, []) if figure.metric == f"{part}_{score}"]
                points = {figure.epoch: figure.value for figure in found if figure.epoch}
                if points and curves:
                    style = {"color": color, "linestyle": "--", "marker": "D", "fillstyle": "none"}
                    (parts[f"{part}, published"],) = axis.plot(list(points), list(points.values()), **style)
    for axis, score in zip(axes[:, 0], scores, strict=True):
        axis.set_ylabel(SCORES[score])
    if run:
        scale_losses(axes[0, 0], [point for curves in run for point in curves])
    if parts:
        figure.legend(parts.values(), parts, loc="outside lower center", ncols=len(parts), frameon=False)
    return figure
