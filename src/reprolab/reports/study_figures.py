"""Figures of studies: what each setting does, how the best and the worst learn, seeds and folds beside each other."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from reprolab.core.study import Dimension, Range, Study
from reprolab.evaluation.canvas import Axes, Figure, MaxNLocator, as_written, colormaps, own_settings, subplots
from reprolab.studies.record import Point, short_keys, shown_value
from reprolab.training.record import Epoch

COLUMNS = 3
STEPS_APART = 0.16  # of points beside each other


def varied(study: Study) -> list[Dimension]:
    """The keys with more than one value."""
    return [found for found in study.dimensions() if isinstance(found.values, Range) or len(found.values) > 1]


@own_settings()
def parameters_figure(title: str, study: Study, points: Sequence[Point]) -> Figure:
    """A panel for each key of the space: the objective of every point by its value, the best and the mean of each."""
    dimensions = varied(study)
    columns = min(COLUMNS, len(dimensions))
    rows = -(-len(dimensions) // columns)
    size = (4 * columns, 0.6 + 3.2 * rows)
    figure, axes = subplots(rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    figure.suptitle(as_written(title))
    names = names_of(study, dimensions)
    for axis, dimension, name in zip(axes.flat, dimensions, names, strict=False):
        values, means = [point.settings[name] for point in points], [point.mean for point in points]
        _draw_dimension(axis, dimension, values, means, np.max if study.maximizes else np.min)
        axis.set(xlabel=as_written(name))
        axis.grid(axis="y", alpha=0.3)
    for axis in axes.flat[len(dimensions) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel(_label(study.objective))
    axes[0, 0].legend(loc="best", fontsize=8)
    return figure


@own_settings()
def parallel_figure(title: str, study: Study, points: Sequence[Point]) -> Figure:
    """Parallel coordinates: a line for each point, from value to value and to its objective, which colours it; the best
    are drawn last."""
    dimensions = varied(study)
    order = sorted(points, key=lambda point: point.mean, reverse=not study.maximizes)
    scores = np.array([point.mean for point in order])
    names = names_of(study, dimensions)
    places = [
        _places(dimension, [point.settings[name] for point in order])
        for dimension, name in zip(dimensions, names, strict=True)
    ]
    places.append(_scaled(scores))
    figure, axis = subplots(figsize=(2 + 1.7 * len(places), 5), layout="constrained")
    colors = colormaps["viridis"](_scaled(scores if study.maximizes else -scores))
    shifts = np.linspace(-0.015, 0.015, len(order))  # lines with the same values lie beside each other
    for number, color in enumerate(colors):
        heights = [place[number] + shifts[number] for place in places[:-1]] + [places[-1][number]]
        axis.plot(range(len(places)), heights, color=color, alpha=0.7, linewidth=1)
    labels = [*names, _label(study.objective).replace(" ", "\n", 1)]
    for place in range(len(places)):
        axis.axvline(place, color="black", linewidth=0.8)
    for place, dimension in enumerate(dimensions):
        for height, text in _ticks(dimension):
            _write(axis, place, height, text)
    for height, value in zip((0.0, 1.0), (scores.min(), scores.max()), strict=True):
        _write(axis, len(places) - 1, height, f"{value:.4f}")
    axis.set_xticks(range(len(places)), [as_written(label) for label in labels])
    axis.set(ylim=(-0.08, 1.08), xlim=(-0.2, len(places) - 0.4), title=as_written(title))
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)
    return figure


@own_settings()
def extremes_figure(title: str, runs: Mapping[str, Sequence[Epoch]]) -> Figure:
    """Loss and accuracy by epoch of the best point and the worst, their first seed or fold: training thin."""
    figure, axes = subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    figure.suptitle(as_written(title))
    for axis, score in zip(axes, ("loss", "accuracy"), strict=True):
        for (name, epochs), color in zip(runs.items(), ("tab:blue", "tab:red"), strict=False):
            numbers = [epoch.number for epoch in epochs]
            train = [getattr(epoch.train, score) for epoch in epochs]
            validation = [getattr(epoch.validation, score) for epoch in epochs if epoch.validation]
            axis.plot(numbers, train, color=color, linewidth=0.8, alpha=0.6, label=as_written(f"{name}, training"))
            axis.plot(numbers, validation, color=color, linewidth=2, label=as_written(f"{name}, validation"))
        axis.set(xlabel="epoch", ylabel=score)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.grid(alpha=0.3)
    losses = [epoch.train.loss for epochs in runs.values() for epoch in epochs]
    if min(losses) > 0 and max(losses) > 10 * min(losses):
        axes[0].set_yscale("log")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", fontsize=8, frameon=False)
    return figure


@own_settings()
def repeats_figure(title: str, objective: str, groups: Mapping[str, Sequence[float]], what: str) -> Figure:
    """The objective of each seed or fold, a row for each point, and their mean with its standard deviation; lines join
    what was trained with the same seed, or on the same fold."""
    figure, axis = subplots(figsize=(8, 1.8 + 0.6 * len(groups)), layout="constrained")
    for position, scores in enumerate(groups.values()):
        axis.plot(scores, [position] * len(scores), "o", color="tab:blue", alpha=0.5, label="" if position else what)
        error = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
        label = "" if position else "mean ± standard deviation"
        axis.errorbar(np.mean(scores), position, xerr=error, fmt="D", color="black", capsize=4, label=label)
    if len(groups) > 1 and len({len(scores) for scores in groups.values()}) == 1:
        for paired in zip(*groups.values(), strict=True):
            axis.plot(paired, range(len(groups)), color="gray", alpha=0.4, linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(groups)), [as_written(name) for name in groups])
    axis.set(ylim=(len(groups) - 0.5, -0.5), xlabel=_label(objective))
    figure.suptitle(as_written(title))
    axis.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@own_settings()
def contamination_figure(title: str, points: Sequence[Point]) -> Figure:
    """The accuracy on examples of which a growing share was trained on, beside that on clean ones."""
    figure, axis = subplots(figsize=(7, 4.2), layout="constrained")
    shares = [point.share for point in points]
    kinds = {
        "scored on the half that lends its examples": ("tab:red", [point.scores for point in points]),
        "scored on the clean half: the truth": ("tab:blue", [point.clean for point in points]),
    }
    for label, (color, values) in kinds.items():
        means = np.array([np.mean(found) for found in values])
        reach = np.array([np.std(found, ddof=1) if len(found) > 1 else 0.0 for found in values])
        axis.plot(shares, means, "o-", color=color, label=label)
        axis.fill_between(shares, means - reach, means + reach, color=color, alpha=0.15)
    axis.set(xlabel="share of the scored examples that are trained on", ylabel="accuracy", title=as_written(title))
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def names_of(study: Study, dimensions: Sequence[Dimension]) -> list[str]:
    """Their columns in the table of trials."""
    keys = [dimension.key for dimension in study.dimensions()]
    names = dict(zip(keys, short_keys(keys), strict=True))
    return [names[dimension.key] for dimension in dimensions]


def _draw_dimension(
    axis: Axes, dimension: Dimension, values: Sequence[str], means: Sequence[float], best: Callable[[np.ndarray], float]
) -> None:
    scores = np.array(means)
    if isinstance(dimension.values, Range):
        axis.plot([float(value) for value in values], scores, ".", alpha=0.6, label="each point")
        if dimension.values.log:
            axis.set_xscale("log")
        return
    known = [shown_value(value) for value in dimension.values]
    places = np.array([known.index(value) for value in values])
    spread = np.zeros(len(scores))
    for place in range(len(known)):
        chosen = np.flatnonzero(places == place)
        spread[chosen] = np.linspace(-STEPS_APART, STEPS_APART, len(chosen)) if len(chosen) > 1 else 0
    axis.plot(places + spread, scores, ".", alpha=0.5, label="each point")
    tried = sorted(set(places.tolist()))
    of_value = [scores[places == place] for place in tried]
    axis.plot(tried, [best(found) for found in of_value], "^-", color="tab:green", label="best of the value")
    axis.plot(tried, [found.mean() for found in of_value], "D-", color="black", label="mean of the value")
    axis.set_xticks(range(len(known)), [text for _, text in _ticks(dimension)])


def _places(dimension: Dimension, values: Sequence[str]) -> np.ndarray:
    """Of each point on the axis of a key, from 0 to 1."""
    if isinstance(dimension.values, Range):
        ends = [dimension.values.low, dimension.values.high]
        numbers = np.array([*ends, *(float(value) for value in values)])
        return _scaled(np.log(numbers) if dimension.values.log else numbers)[2:]
    known = [shown_value(value) for value in dimension.values]
    return np.array([known.index(value) for value in values]) / max(1, len(known) - 1)


def _ticks(dimension: Dimension) -> list[tuple[float, str]]:
    """Heights from 0 to 1, and what to write there."""
    values = dimension.values
    if isinstance(values, Range):
        return [(0.0, f"{values.low:g}"), (1.0, f"{values.high:g}")]
    texts = [shown_value(value) for value in values]
    return [
        (place / max(1, len(texts) - 1), as_written(text if len(text) <= 24 else f"{text[:23]}…"))
        for place, text in enumerate(texts)
    ]


def _scaled(values: np.ndarray) -> np.ndarray:
    span = values.max() - values.min()
    return (values - values.min()) / span if span else np.full(len(values), 0.5)


def _write(axis: Axes, x: float, y: float, text: str) -> None:
    box = {"color": "white", "pad": 1, "alpha": 0.8}
    axis.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center", fontsize=8, bbox=box)


def _label(objective: str) -> str:
    return objective.replace("_", " ").replace("macro f1", "macro-F1")
