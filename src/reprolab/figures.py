"""Figures of results: learning curves, confusion matrices, comparisons with published figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprolab.files import atomic_file

SCORES = {"loss": "loss", "accuracy": "accuracy", "macro_f1": "macro-F1"}
COLORS = {"train": "tab:blue", "validation": "tab:orange"}


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone, and close the figure."""
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)


def curves_figure(title: str, rows: Sequence[Mapping[str, str]]) -> Figure:
    """Loss, accuracy and macro-F1 by epoch, from the rows of `curves.csv`: each seed thin, their mean bold."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    seeds_told = " (thin: each seed, bold: their mean)" if len({row["seed"] for row in rows}) > 1 else ""
    figure.suptitle(title + seeds_told)
    parts = list(dict.fromkeys(row["part"] for row in rows))
    for axis, (score, label) in zip(axes, SCORES.items(), strict=True):
        for part in parts:
            seeds: dict[str, list[tuple[int, float]]] = {}
            for row in rows:
                if row["part"] == part:
                    seeds.setdefault(row["seed"], []).append((int(row["epoch"]), float(row[score])))
            curves = np.array([[value for _, value in curve] for curve in seeds.values()])
            epochs = [epoch for epoch, _ in next(iter(seeds.values()))]
            if len(curves) > 1:
                axis.plot(epochs, curves.T, color=COLORS[part], alpha=0.3, linewidth=0.8)
            marker = "o" if len(epochs) <= 30 else ""
            axis.plot(epochs, curves.mean(0), color=COLORS[part], label=part, marker=marker, markersize=3)
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.grid(alpha=0.3)
    axes[0].legend()
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
    axis.set(title=title, xlabel="test accuracy")
    axis.errorbar([], [], xerr=[], fmt="o", color="tab:blue", capsize=4, label="measured, 95 % interval")
    axis.plot([], [], "D", color="tab:red", fillstyle="none", label="published")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axis.grid(axis="x", alpha=0.3)
    return figure
