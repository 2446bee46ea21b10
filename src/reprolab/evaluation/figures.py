"""Figures of one experiment's results: learning curves, the loss of every step, confusion matrix, classes.

What needs a network or images is in `network_figures.py`; this module does without PyTorch.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from reprolab.evaluation.canvas import Axes, Figure, Line2D, MaxNLocator, own_settings, setp, subplots
from reprolab.evaluation.record import ClassRow, ConfusionRow
from reprolab.training.record import CurvePoint, StepLoss

SCORES = {"loss": "loss", "accuracy": "accuracy", "macro_f1": "macro-F1"}
COLORS = {"train": "tab:blue", "validation": "tab:orange"}
WINDOW = 60  # steps of the moving average, as in the lab sheet
LOG_FROM = 10  # a loss that falls by more than this factor has a logarithmic axis

Curves = Sequence[CurvePoint]  # of one experiment


@own_settings()
def curves_figure(title: str, curves: Curves) -> Figure:
    """Loss, accuracy and macro-F1 by epoch: each seed thin, their mean bold."""
    figure, axes = subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    figure.suptitle(title + seeds_in_title([curves]))
    for axis, (score, label) in zip(axes, SCORES.items(), strict=True):
        draw_curves(axis, curves, score, "o" if are_few(curves) else "")
        axis.set(xlabel="epoch", ylabel=label)
    scale_losses(axes[0], curves)
    axes[0].legend()
    return figure


@own_settings()
def loss_figure(title: str, rows: Sequence[StepLoss]) -> Figure:
    """The first seed's loss of every step, and its moving average over 60 steps."""
    seed = rows[0].seed
    losses = np.array([row.loss for row in rows if row.seed == seed])
    steps = np.arange(1, len(losses) + 1)
    figure, axis = subplots(figsize=(8, 4), layout="constrained")
    if len(losses) < WINDOW:
        axis.plot(steps, losses, color="tab:blue", marker=".", label="each step")
    else:
        means = np.convolve(losses, np.full(WINDOW, 1 / WINDOW), "valid")
        axis.plot(steps, losses, color="tab:blue", alpha=0.35, linewidth=0.6, label="each step")
        # In the middle of its steps; at the last of them it would lie above a falling loss.
        middles = steps[: len(means)] + (WINDOW - 1) / 2
        axis.plot(middles, means, color="tab:blue", linewidth=2, label=f"moving average of {WINDOW} steps")
        if losses.min() > 0 and means.max() > LOG_FROM * means.min():
            # A few lucky batches with next to no loss must not squeeze the rest.
            axis.set(yscale="log", ylim=(max(losses.min(), means.min() / LOG_FROM) / 1.2, losses.max() * 1.2))
    axis.set(title=f"{title}, seed {seed}: training loss", xlabel="step", ylabel="loss")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


@own_settings()
def steps_figure(title: str, rows: Sequence[StepLoss], curves: Curves) -> Figure:
    """Loss, accuracy and macro-F1 of the first seed by step: on the training part as means over the steps of an epoch,
    which stand in their middle, on the validation part at the end of them; and the loss of each step."""
    seed = rows[0].seed
    losses = [row.loss for row in rows if row.seed == seed]
    points = [point for point in curves if point.seed == seed]
    steps_an_epoch = len(losses) / max(point.epoch for point in points)
    figure, axes = subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    figure.suptitle(title)
    axes[0].plot(range(1, len(losses) + 1), losses, color="tab:blue", alpha=0.35, linewidth=0.6, label="each step")
    for axis, (score, label) in zip(axes, SCORES.items(), strict=True):
        for part in dict.fromkeys(point.part for point in points):
            shown = [point for point in points if point.part == part]
            before = 0.5 if part == "train" else 0.0
            steps = [(point.epoch - before) * steps_an_epoch for point in shown]
            values = [getattr(point, score) for point in shown]
            marker = "o" if are_few(points) else ""
            axis.plot(steps, values, color=COLORS[part], label=part, marker=marker, markersize=3)
        axis.set(xlabel="step", ylabel=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.grid(alpha=0.3)
    scale_losses(axes[0], points)
    axes[0].legend()
    return figure


@own_settings()
def classes_figure(title: str, rows: Sequence[ClassRow]) -> Figure:
    """The recall of each class, on a scale that starts near the lowest one."""
    recalls = [row.recall for row in rows]
    tested = [row for row in rows if row.images]
    worst = min(row.recall for row in tested)
    low = max(0.0, np.floor((1 - max(1.5 * (1 - worst), 0.01)) * 100) / 100)
    figure, axis = subplots(figsize=(8, 1.4 + 0.32 * len(rows)), layout="constrained")
    axis.barh(range(len(rows)), recalls, color="tab:blue", height=0.7, label="each class")
    labels = [f"{row.recall:.4f}" if row.images else "no test example" for row in rows]
    # A label inside the bar would not fit a short one, and left of the axis it would be cut off.
    for position, (recall, label) in enumerate(zip(recalls, labels, strict=True)):
        axis.annotate(
            label,
            (max(recall, low), position),
            (4, 0),
            textcoords="offset points",
            va="center",
            bbox={"color": "white", "pad": 1},
        )
    total = sum(row.images for row in tested)
    mean = sum(row.recall * row.images for row in tested) / total
    axis.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"all: {mean:.4f}")
    axis.set_yticks(range(len(rows)), [row.name for row in rows])
    axis.set(title=title, xlabel=f"accuracy of each class (recall); the axis starts at {low:g}", ylabel="actual")
    axis.set(xlim=(low, 1 + 0.12 * (1 - low)), ylim=(len(rows) - 0.5, -0.5))
    axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= 1 + 1e-9])
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@own_settings()
def confusion_figure(title: str, rows: Sequence[ConfusionRow]) -> Figure:
    """Each cell: the share of the true class (row) that was taken for the predicted one, and the count."""
    classes = list(dict.fromkeys(row.actual for row in rows))
    size = len(classes)
    shares = np.array([row.share for row in rows]).reshape(size, size)
    counts = np.array([row.count for row in rows]).reshape(size, size)
    figure, axis = subplots(figsize=(2 + 0.7 * size, 1.5 + 0.6 * size), layout="constrained")
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(size, size):
        if counts[i, j]:
            color = "white" if shares[i, j] > 0.5 else "black"
            share = f"{shares[i, j]:.1%}" if shares[i, j] >= 0.001 else "<0.1%"
            axis.text(j, i, f"{share}\n{counts[i, j]}", ha="center", va="center", color=color, fontsize=7)
    axis.set(title=title, xlabel="predicted", ylabel="actual")
    axis.set_xticks(range(size), classes)
    if max(map(len, classes)) > 3:
        setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(size), classes)
    figure.colorbar(image, label="share of the actual class")
    return figure


def are_few(curves: Curves) -> bool:
    """Whether each epoch can have a mark of its own."""
    return max(point.epoch for point in curves) <= 30


def draw_curves(axis: Axes, curves: Curves, score: str, marker: str) -> dict[str, Line2D]:
    """One score by epoch, train against validation; returns the bold line of each part.

    A seed whose training has ended before the others' counts in the mean with the score that it ended with.
    """
    bold: dict[str, Line2D] = {}
    for part in dict.fromkeys(point.part for point in curves):
        seeds: dict[int, list[CurvePoint]] = {}
        for point in curves:
            if point.part == part:
                seeds.setdefault(point.seed, []).append(point)
        lines = [[getattr(point, score) for point in points] for points in seeds.values()]
        epochs = [point.epoch for point in max(seeds.values(), key=len)]
        if len(lines) > 1:
            for line in lines:
                axis.plot(epochs[: len(line)], line, color=COLORS[part], alpha=0.3, linewidth=0.8)
        means = np.mean([line + line[-1:] * (len(epochs) - len(line)) for line in lines], axis=0)
        (bold[part],) = axis.plot(epochs, means, color=COLORS[part], label=part, marker=marker, markersize=3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    return bold


def scale_losses(axis: Axes, curves: Curves) -> None:
    """Make a loss axis logarithmic where the losses fall so far that their end would not be seen.

    What it shows reaches down to a tenth of the lowest validation loss: training losses of next to nothing must not
    squeeze the rest.
    """
    losses = [point.loss for point in curves]
    lowest = min([point.loss for point in curves if point.part == "validation"] or losses)
    if lowest > 0 and max(losses) > LOG_FROM * lowest:
        axis.set(yscale="log", ylim=(max(min(losses), lowest / LOG_FROM) / 1.2, 1.2 * max(losses)))


def seeds_in_title(experiments: Iterable[Curves]) -> str:
    several = any(len({point.seed for point in curves}) > 1 for curves in experiments)
    return " (thin: each seed, bold: their mean)" if several else ""
