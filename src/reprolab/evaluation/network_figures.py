"""Figures of one trained experiment, and those that need its network: errors, kernels, maps, decision lines."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import torch

from reprolab.core.files import read_table
from reprolab.core.layout import STEPS
from reprolab.data.parts import Part
from reprolab.evaluation.canvas import (
    Figure,
    ListedColormap,
    Normalize,
    ScalarMappable,
    colormaps,
    new_figure,
    own_settings,
    subplots,
)
from reprolab.evaluation.drawing import draw_tiles, picture
from reprolab.evaluation.evaluate import Evaluation
from reprolab.evaluation.figures import (
    Curves,
    classes_figure,
    confusion_figure,
    curves_figure,
    loss_figure,
    steps_figure,
)
from reprolab.evaluation.inspection import (
    decisions,
    feature_maps,
    first_kernels,
    has_convolutions,
    surest_misclassifications,
)
from reprolab.models.classifier import Classifier, Weights
from reprolab.models.folder import load_snapshots
from reprolab.training.record import StepLoss

ERRORS, KERNELS, LAYERS, MAPS = 20, 64, 6, 12  # the most that one figure shows
GRID = 121  # points a side, on which a decision line is looked for


def experiment_figures(
    name: str, model_folder: Path, curves: Curves, test: Part, evaluation: Evaluation
) -> dict[str, Figure]:
    """Every figure of an experiment by file name; which ones there are depends on the data and the network.

    Raises `InputError` when `steps.csv` is missing in the model folder, or damaged.
    """
    classes = evaluation.classes
    seed, classifier = next(iter(evaluation.classifiers.items()))
    steps = read_table(model_folder / STEPS, StepLoss)
    together = ", all seeds together" if len(evaluation.scores) > 1 else ""
    figures = {
        "curves.png": curves_figure(name, curves),
        "loss.png": loss_figure(name, steps),
        "confusion.png": confusion_figure(f"{name}, test part{together}", evaluation.confusion_rows()),
        "classes.png": classes_figure(f"{name}, test part{together}", evaluation.class_rows()),
    }
    of_seed = f"{name}, seed {seed}"
    if sum(row.seed == seed for row in steps) > max(point.epoch for point in curves if point.seed == seed):
        figures["steps.png"] = steps_figure(of_seed, steps, curves)
    if test.inputs.ndim == 4:
        figures["errors.png"] = errors_figure(of_seed, test, evaluation.logits, classes)
        if has_convolutions(classifier.network):
            figures["kernels.png"] = kernels_figure(of_seed, *first_kernels(classifier.network))
            answer = f"actual {classes[test.labels[0]]},\npredicted {classes[int(evaluation.logits[0].argmax())]}"
            figures["feature_maps.png"] = feature_maps_figure(of_seed, classifier, test.inputs[0], answer)
    elif test.inputs.shape[1] == len(classes) == 2:
        snapshots = load_snapshots(model_folder, seed)
        figures["decision.png"] = decision_figure(of_seed, classifier, snapshots, test, classes)
    return figures


@own_settings()
def errors_figure(title: str, test: Part, logits: torch.Tensor, classes: Sequence[str]) -> Figure:
    """The wrong answers that the network was surest of, as stored: "actual → predicted" and the confidence."""
    errors = surest_misclassifications(logits, test.labels, ERRORS)
    wrong = int((logits.argmax(1).numpy() != test.labels).sum())
    columns = 5
    rows = max(1, ceil(len(errors) / columns))
    figure, axis = subplots(figsize=(9, 0.5 + 2.15 * rows), layout="constrained")
    if errors:
        figure.suptitle(f"{title}: the surest {len(errors)} of {wrong} errors on {len(test)} test images")
        titles = [
            f"{classes[error.actual]} → {classes[error.predicted]}\n{_percent(error.confidence)}" for error in errors
        ]
        draw_tiles(axis, [picture(test.inputs[error.index]) for error in errors], columns, titles)
    else:
        figure.suptitle(f"{title}: errors")
        axis.text(0.5, 0.5, f"no error on {len(test)} test images", ha="center", va="center")
        axis.set_axis_off()
    return figure


@own_settings()
def kernels_figure(title: str, layer: str, kernels: np.ndarray) -> Figure:
    """Kernels (n, channels, height, width): in colour for three channels, each on its own scale; else on one scale
    for all, as the mean over the channels."""
    count, channels, height, width = kernels.shape
    shown = kernels[:KERNELS]
    columns = min(8, len(shown))
    rows = ceil(len(shown) / columns)
    figure, axis = subplots(figsize=(max(6, 1.8 + 0.9 * columns), 1 + 0.9 * rows), layout="constrained")
    which = f"the {count}" if count <= KERNELS else f"the first {KERNELS} of {count}"
    notes = ["each on its own scale"] if channels == 3 else ["mean over the channels"] if channels > 1 else []
    axis.set_title("\n".join([f"{title}: {which} kernels {height}×{width} of layer {layer}", *notes]))
    if channels == 3:
        low, high = (extreme(shown, axis=(1, 2, 3), keepdims=True) for extreme in (np.min, np.max))
        draw_tiles(axis, list(((shown - low) / np.maximum(high - low, 1e-12)).transpose(0, 2, 3, 1)), columns)
    else:
        reach = float(np.abs(shown.mean(1)).max()) or 1.0
        draw_tiles(axis, list(shown.mean(1)), columns, cmap="RdBu_r", vmin=-reach, vmax=reach)
        figure.colorbar(axis.images[0], label="weight")
    return figure


@own_settings()
def feature_maps_figure(title: str, classifier: Classifier, image: np.ndarray, answer: str) -> Figure:
    """What an image (channels, height, width) excites in the convolutions, a row each; `answer` stands above it."""
    convolutions, layers = feature_maps(classifier, torch.from_numpy(image)[None], LAYERS, MAPS)
    columns = max(len(layer.maps) for layer in layers)
    figure = new_figure(figsize=(2.6 + 0.85 * max(columns, 6), 0.7 + 1.25 * max(len(layers), 2)), layout="constrained")
    which = f"{len(layers)} of " if len(layers) < convolutions else ""
    figure.suptitle(f"{title}: what an image excites in {which}{convolutions} convolution{'s' * (convolutions > 1)}")
    grid = figure.add_gridspec(len(layers), 2, width_ratios=[2.2, 0.85 * max(columns, 6)])
    axis = figure.add_subplot(grid[:, 0])
    axis.set_title(f"the first test image,\n{answer}", fontsize=9)
    draw_tiles(axis, [picture(image)], 1)
    axis.set_anchor("N")
    for row, layer in enumerate(layers):
        axis = figure.add_subplot(grid[row, 1])
        shown, height, width = layer.maps.shape
        low, high = float(layer.maps.min()), float(layer.maps.max())
        after = f" after {layer.after}" if layer.after else ""
        which = f"{shown} of {layer.count}" if shown < layer.count else f"{shown}"
        text = f"layer {layer.layer}{after}: {which} maps {height}×{width}, dark {low:.3g}, bright {high:.3g}"
        axis.set_title(text, fontsize=9, loc="left")
        draw_tiles(axis, list(layer.maps), columns, cmap="viridis", vmin=low, vmax=high)
        axis.set_anchor("NW")
    return figure


@own_settings()
def decision_figure(
    title: str,
    classifier: Classifier,
    snapshots: Mapping[int, Weights],
    test: Part,
    classes: Sequence[str],
) -> Figure:
    """Examples of two features, and the line between the two classes after each epoch, the last one bold."""
    figure, axis = subplots(figsize=(7, 6), layout="constrained")
    for index, (name, marker) in enumerate(zip(classes, "os", strict=True)):
        points = test.inputs[test.labels == index]
        axis.scatter(
            points[:, 0], points[:, 1], s=18, marker=marker, color=("tab:blue", "tab:orange")[index], label=name
        )
    low, high = test.inputs.min(0), test.inputs.max(0)
    margin = 0.05 * np.maximum(high - low, 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    x, y = np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)
    # From pale to dark; the palest greys would not be seen.
    colors = colormaps["Greys"](np.linspace(0.25, 1, max(2, len(snapshots))))
    differences = decisions(classifier, list(snapshots.values()), x, y)
    for index, difference in enumerate(differences):
        last = index == len(differences) - 1
        if difference.min() < 0 < difference.max():
            color = colors[-1] if last else colors[index]
            axis.contour(x, y, difference, levels=[0], colors=[color], linewidths=2.5 if last else 1)
    if len(snapshots) > 1:
        epochs = list(snapshots)
        scale = ScalarMappable(Normalize(epochs[0], epochs[-1]), ListedColormap(colors))
        figure.colorbar(scale, ax=axis, label="epoch")
    axis.set(title=f"{title}: test part and decision line", xlabel="feature 1", ylabel="feature 2")
    axis.set(xlim=(left, right), ylim=(bottom, top))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.9995 else ">99.9%"
