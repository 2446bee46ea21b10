"""Figures of a data set: the classes of its parts, sample images, pairs of features. Without PyTorch."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import ceil
from pathlib import Path

import numpy as np

from reprolab.core.config import Dataset
from reprolab.core.layout import SPLIT
from reprolab.data.fetch import load_source
from reprolab.data.parts import Part, SplitInfo, load_part
from reprolab.evaluation.canvas import Axes, Figure, MaxNLocator, as_written, own_settings, subplots
from reprolab.evaluation.drawing import draw_tiles, picture

SAMPLES, COLUMNS = 16, 8
MOST_FEATURES = 4  # more of them have more pairs than a figure can show
COLORS, MARKERS = ("tab:blue", "tab:orange", "tab:green"), "os^"


def data_figures(dataset: Dataset, raw: Path, split: Path) -> dict[str, Figure]:
    """Every figure of a data set by file name; `raw` and `split` are its folders.

    Raises `InputError` when a file in them is missing or damaged.
    """
    info = SplitInfo.load(split / SPLIT)
    parts = {name: load_part(split, name) for name in info.sizes}
    source = dataset.source.module()
    figures = {"classes.png": classes_figure(info.dataset, parts, info.classes)}
    if info.holds_images:
        figures["samples.png"] = samples_figure(info.dataset, parts["train"], info.classes)
    elif info.shape[0] <= MOST_FEATURES and len(info.classes) <= len(COLORS):
        names = getattr(source, "FEATURES", [f"feature {number}" for number in range(1, info.shape[0] + 1)])
        figures["features.png"] = features_figure(info.dataset, parts, names, info.classes)
    if original_labels := getattr(source, "original_labels", None):
        labels = load_source(dataset.source, raw).train_labels
        figures["labels.png"] = labels_figure(info.dataset, original_labels(raw), labels, info.classes)
    return figures


@own_settings()
def classes_figure(title: str, parts: Mapping[str, Part], classes: Sequence[str]) -> Figure:
    """How many examples of each class each part has."""
    size = (1 + 3.2 * len(parts), 1.2 + 0.3 * len(classes))
    figure, axes = subplots(1, len(parts), figsize=size, sharey=True, squeeze=False, layout="constrained")
    figure.suptitle(f"{as_written(title)}: examples of each class")
    for axis, (name, part) in zip(axes[0], parts.items(), strict=True):
        counts = np.bincount(part.labels, minlength=len(classes))
        bars = axis.barh(range(len(classes)), counts, color="tab:blue", height=0.7)
        axis.bar_label(bars, [f"{count:,}" for count in counts], padding=3)
        axis.set(title=f"{name}: {len(part):,}", xlim=(0, 1.25 * counts.max()))
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes[0, 0].set_yticks(range(len(classes)), classes)
    axes[0, 0].invert_yaxis()
    return figure


@own_settings()
def samples_figure(title: str, part: Part, classes: Sequence[str]) -> Figure:
    """Sixteen images of a part, each below its class: evenly spaced, since a file may be sorted by class."""
    count = min(SAMPLES, len(part))
    chosen = np.linspace(0, len(part) - 1, count).round().astype(int)
    figure, axis = subplots(figsize=(9, 0.6 + 1.2 * ceil(count / COLUMNS)), layout="constrained")
    figure.suptitle(f"{as_written(title)}: {count} training images")
    titles = [classes[label] for label in part.labels[chosen]]
    draw_tiles(axis, [picture(image) for image in part.inputs[chosen]], COLUMNS, titles)
    return figure


@own_settings()
def features_figure(title: str, parts: Mapping[str, Part], features: Sequence[str], classes: Sequence[str]) -> Figure:
    """Each pair of features, all parts together, a colour for each class."""
    inputs = np.concatenate([part.inputs for part in parts.values()])
    labels = np.concatenate([part.labels for part in parts.values()])
    pairs = list(combinations(range(len(features)), 2))
    columns = min(3, len(pairs))
    rows = ceil(len(pairs) / columns)
    size = (max(5, 3.6 * columns), 0.8 + 3.2 * rows)
    figure, axes = subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.suptitle(f"{as_written(title)}: pairs of features")
    for axis, (first, second) in zip(axes.flat, pairs, strict=False):
        for index, (name, color, marker) in enumerate(zip(classes, COLORS, MARKERS, strict=False)):
            chosen = inputs[labels == index]
            axis.scatter(chosen[:, first], chosen[:, second], s=14, color=color, marker=marker, alpha=0.7, label=name)
        axis.set(xlabel=features[first], ylabel=features[second])
    for axis in axes.flat[len(pairs) :]:
        axis.set_axis_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


@own_settings()
def labels_figure(title: str, original: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Published labels (n,), and the classes (n,) that are made of them."""
    values = np.unique(original)
    figure, (before, after) = subplots(1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=[3, 2])
    figure.suptitle(f"{as_written(title)}: labels as published, and the classes made of them")
    for index, name in enumerate(classes):
        counts = [int(((original == value) & (labels == index)).sum()) for value in values]
        shown = [place for place, count in enumerate(counts) if count]
        _bars(before, shown, [counts[place] for place in shown], COLORS[index])
        _bars(after, [index], [int((labels == index).sum())], COLORS[index], name)
    before.set_xticks(range(len(values)), [str(value) for value in values])
    before.set(xlabel="label as published", ylabel="examples")
    after.set_xticks(range(len(classes)), classes)
    for axis in (before, after):
        axis.margins(y=0.1)
    return figure


def _bars(axis: Axes, places: Sequence[int], counts: Sequence[int], color: str, label: str = "") -> None:
    bars = axis.bar(places, counts, color=color, width=0.7, label=label)
    axis.bar_label(bars, [f"{count:,}" for count in counts])
