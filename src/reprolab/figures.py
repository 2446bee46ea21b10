"""Figures of results, from the rows of tables: learning curves, confusion matrices, classes, comparisons.

What needs a network or images is in `inside_figures.py`; this module does without PyTorch.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reprolab.files import atomic_file

SCORES = {"loss": "loss", "accuracy": "accuracy", "macro_f1": "macro-F1"}
COLORS = {"train": "tab:blue", "validation": "tab:orange"}
WINDOW = 60  # steps of the moving average, as in the lab sheet
LOG_FROM = 10  # a loss that falls by more than this factor has a logarithmic axis

Rows = Sequence[Mapping[str, str]]  # of a CSV file


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone, and close the figure."""
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)


def curves_figure(title: str, rows: Rows) -> Figure:
    """Loss, accuracy and macro-F1 by epoch, from the rows of `curves.csv`: each seed thin, their mean bold."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    figure.suptitle(title + _seeds_told([rows]))
    for axis, (score, label) in zip(axes, SCORES.items(), strict=True):
        _draw_curves(axis, rows, score, "o" if _are_few(rows) else "")
        axis.set(xlabel="epoch", ylabel=label)
    axes[0].legend()
    return figure


def study_figure(title: str, curves: Mapping[str, Rows | None]) -> Figure:
    """A column for each experiment, a row for each score with one scale; None stands for an experiment not run."""
    scores = ("loss", "macro_f1", "accuracy")
    size = (max(6, 1 + 2.8 * len(curves)), 7.5)
    figure, axes = plt.subplots(3, len(curves), figsize=size, sharey="row", squeeze=False, layout="constrained")
    figure.suptitle(title + _seeds_told([rows for rows in curves.values() if rows]))
    marker = "o" if all(_are_few(rows) for rows in curves.values() if rows) else ""
    parts: dict[str, Line2D] = {}
    for column, (name, rows) in zip(axes.T, curves.items(), strict=True):
        column[0].set_title(name)
        column[-1].set_xlabel("epoch" if rows else "")
        for axis, score in zip(column, scores, strict=True):
            if rows:
                parts |= _draw_curves(axis, rows, score, marker)
            else:
                axis.text(0.5, 0.5, "not run", ha="center", va="center", color="gray", transform=axis.transAxes)
                axis.set_xticks([])
    for axis, score in zip(axes[:, 0], scores, strict=True):
        axis.set_ylabel(SCORES[score])
    if parts:
        figure.legend(parts.values(), parts, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _are_few(rows: Rows) -> bool:
    """Whether each epoch can have a mark of its own."""
    return max(int(row["epoch"]) for row in rows) <= 30


def _draw_curves(axis: Axes, rows: Rows, score: str, marker: str) -> dict[str, Line2D]:
    """One score by epoch, train against validation; returns the bold line of each part."""
    bold = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        seeds: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row["part"] == part:
                seeds.setdefault(row["seed"], []).append((int(row["epoch"]), float(row[score])))
        curves = np.array([[value for _, value in curve] for curve in seeds.values()])
        epochs = [epoch for epoch, _ in next(iter(seeds.values()))]
        if len(curves) > 1:
            axis.plot(epochs, curves.T, color=COLORS[part], alpha=0.3, linewidth=0.8)
        (bold[part],) = axis.plot(epochs, curves.mean(0), color=COLORS[part], label=part, marker=marker, markersize=3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    return bold


def _seeds_told(experiments: Iterable[Rows]) -> str:
    several = any(len({row["seed"] for row in rows}) > 1 for rows in experiments)
    return " (thin: each seed, bold: their mean)" if several else ""


def loss_figure(title: str, rows: Rows) -> Figure:
    """The first seed's loss of every step, from the rows of `steps.csv`, and its moving average over 60 steps."""
    seed = rows[0]["seed"]
    losses = np.array([float(row["loss"]) for row in rows if row["seed"] == seed])
    steps = np.arange(1, len(losses) + 1)
    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
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


def classes_figure(title: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The recall of each class, from the rows of `classes.csv`, on a scale that starts near the lowest one."""
    recalls = [row["recall"] for row in rows]
    tested = [row for row in rows if row["images"]]
    worst = min(row["recall"] for row in tested)
    low = max(0.0, np.floor((1 - max(1.5 * (1 - worst), 0.01)) * 100) / 100)
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.32 * len(rows)), layout="constrained")
    axis.barh(range(len(rows)), recalls, color="tab:blue", height=0.7, label="each class")
    labels = [f"{row['recall']:.4f}" if row["images"] else "no test example" for row in rows]
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
    total = sum(row["images"] for row in tested)
    mean = sum(row["recall"] * row["images"] for row in tested) / total
    axis.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"all: {mean:.4f}")
    axis.set_yticks(range(len(rows)), [row["class"] for row in rows])
    axis.set(title=title, xlabel=f"accuracy of each class (recall); the axis starts at {low:g}", ylabel="actual")
    axis.set(xlim=(low, 1 + 0.12 * (1 - low)), ylim=(len(rows) - 0.5, -0.5))
    axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= 1 + 1e-9])
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def confusion_figure(title: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Each cell: the share of the true class (row) that was taken for the predicted one, and the count."""
    classes = list(dict.fromkeys(row["actual"] for row in rows))
    size = len(classes)
    shares = np.array([row["share"] for row in rows]).reshape(size, size)
    counts = np.array([row["count"] for row in rows]).reshape(size, size)
    figure, axis = plt.subplots(figsize=(2 + 0.7 * size, 1.5 + 0.6 * size), layout="constrained")
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(size, size):
        if counts[i, j]:
            color = "white" if shares[i, j] > 0.5 else "black"
            share = f"{shares[i, j]:.1%}" if shares[i, j] >= 0.001 else "<0.1%"
            axis.text(j, i, f"{share}\n{counts[i, j]}", ha="center", va="center", color=color, fontsize=7)
    axis.set(title=title, xlabel="predicted", ylabel="actual")
    axis.set_xticks(range(size), classes)
    if max(map(len, classes)) > 3:
        plt.setp(axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(size), classes)
    figure.colorbar(image, label="share of the actual class")
    return figure


def comparison_figure(title: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Accuracy of each experiment with its 95 % interval, beside the published figure."""
    figure, axis = plt.subplots(figsize=(8, 1.6 + 0.45 * len(rows)), layout="constrained")
    for position, row in enumerate(rows):
        if row["accuracy"] is not None:
            reach = [[row["accuracy"] - row["low"]], [row["high"] - row["accuracy"]]]
            axis.errorbar(row["accuracy"], position, xerr=reach, fmt="o", color="tab:blue", capsize=4)
        if row["published_accuracy"] is not None:
            axis.plot(row["published_accuracy"], position, "D", color="tab:red", fillstyle="none", zorder=3)
    names = [row["experiment"] + (" †" if row["stand_in"] else "") for row in rows]
    names = [name + (" (not run)" if row["accuracy"] is None else "") for name, row in zip(names, rows, strict=True)]
    axis.set_yticks(range(len(rows)), names)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    stand_ins = dict.fromkeys(row["provenance"] for row in rows if row["stand_in"])
    axis.set(title=title, xlabel="test accuracy" + "".join(f"   († on a {name})" for name in stand_ins))
    axis.errorbar([], [], xerr=[], fmt="o", color="tab:blue", capsize=4, label="measured, 95 % interval")
    if any(row["published_accuracy"] is not None for row in rows):
        axis.plot([], [], "D", color="tab:red", fillstyle="none", label="published")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axis.grid(axis="x", alpha=0.3)
    return figure
