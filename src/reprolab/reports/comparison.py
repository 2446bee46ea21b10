"""Experiments of one data set side by side: measured against published figures, with what the size of the test part and
the seeds can say, and the learning curves where they are asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from reprolab.core.errors import InputError
from reprolab.core.files import atomic_directory, read_table, write_text
from reprolab.core.layout import CURVES, TEST, TRAIN, has_run
from reprolab.evaluation.drawing import save_figure
from reprolab.evaluation.record import EvaluationRecord
from reprolab.reports.baselines import BEST_EPOCH, EPOCH_SECONDS, Baseline, baselines_of
from reprolab.reports.figures import comparison_figure, learning_figure
from reprolab.reports.learning import learning_rows
from reprolab.reports.record import ComparisonRow, PublishedFigure, save_rows
from reprolab.reports.tables import comparison_table, learning_table, published_table
from reprolab.training.record import CurvePoint, TrainRecord, mean_and_deviation

CONFIDENCE = 0.95


@dataclass(frozen=True)
class _Results:
    """What an experiment's metrics folder holds."""

    test: EvaluationRecord
    train: TrainRecord
    curves: list[CurvePoint]


def compare(
    dataset: str, experiments: Sequence[str], metrics: Path, baselines: Sequence[Baseline], curves: bool
) -> list[ComparisonRow]:
    """A row for each experiment of a data set, in the given order; with `learning` where `curves` is true.

    `metrics` is the data set's folder. An experiment whose results in it are not complete has not run. Raises
    `InputError` when `metrics` is missing or a file in it is damaged.
    """
    _require(metrics)
    return [
        _row(name, _results(metrics / name), baselines_of(dataset, name, baselines), curves) for name in experiments
    ]


def learning_curves(experiments: Sequence[str], metrics: Path) -> dict[str, list[CurvePoint] | None]:
    """The scores of every epoch of each experiment, in the given order; None for one that has not run.

    Raises `InputError` as `compare` does.
    """
    _require(metrics)
    return {
        name: read_table(metrics / name / CURVES, CurvePoint) if has_run(metrics / name) else None
        for name in experiments
    }


def save_comparison(
    path: Path,
    title: str,
    rows: Sequence[ComparisonRow],
    curves: Mapping[str, Sequence[CurvePoint] | None] | None = None,
) -> list[Path]:
    """Write the rows to `path`.json, the tables to `path`.md and the figures into the folder `path`; return the files.

    With `curves`, as `learning_curves` gives them, these have a table and a figure too.
    """
    files = [path.with_suffix(".json"), path.with_suffix(".md")]
    save_rows(files[0], rows)
    sections = [f"## {title}\n\n{comparison_table(rows)}"]
    figures = {"accuracy.png": comparison_figure(title, rows)}
    if any(row.published for row in rows):
        sections.append(f"### Published figures\n\n{published_table(rows)}")
    if curves is not None:
        sections.append(f"### Learning curves\n\n{learning_table(rows)}")
        figures["curves.png"] = learning_figure(title, curves, {row.experiment: row.published for row in rows})
    write_text(files[1], "\n".join(sections))
    with atomic_directory(path) as folder:
        for name, figure in figures.items():
            save_figure(figure, folder / name)
    return files + [path / name for name in figures]


def comparison_scores(rows: Sequence[ComparisonRow]) -> dict[str, float]:
    """What a run of the comparison shows: accuracies, differences from the published ones, and with curves the gaps
    between training and validation after the last epoch, as `accuracy/<experiment>`."""
    scores: dict[str, float | None] = {}
    for row in rows:
        scores |= {f"accuracy/{row.experiment}": row.accuracy, f"difference/{row.experiment}": row.difference}
        if row.learning and (gap := row.learning[0].gap):
            scores |= {f"last_accuracy_gap/{row.experiment}": gap.accuracy, f"last_loss_gap/{row.experiment}": gap.loss}
    return {name: score for name, score in scores.items() if score is not None}


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Bounds of the accuracy that this many test images allow (Wilson 1927, equation for a binomial proportion)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = (accuracy + z**2 / (2 * images)) / (1 + z**2 / images)
    reach = z / (1 + z**2 / images) * math.sqrt(accuracy * (1 - accuracy) / images + z**2 / (4 * images**2))
    return round(centre - reach, 6), round(centre + reach, 6)


def _require(metrics: Path) -> None:
    if not metrics.is_dir():
        raise InputError(f"{metrics} is missing: run `dvc repro` to train and evaluate the experiments")


def _results(folder: Path) -> _Results | None:
    if not has_run(folder):
        return None
    return _Results(
        EvaluationRecord.load(folder / TEST), TrainRecord.load(folder / TRAIN), read_table(folder / CURVES, CurvePoint)
    )


def _row(name: str, results: _Results | None, published: Sequence[Baseline], curves: bool) -> ComparisonRow:
    accuracy = next((figure for figure in published if figure.metric == "accuracy"), None)
    measured: dict[str, Any] = {}
    if results:
        test = results.test
        low, high = wilson_interval(test.accuracy, test.images)
        measured = test.model_dump(exclude={"device"}) | {"low": low, "high": high}
        if accuracy:
            measured["difference"] = round(test.accuracy - accuracy.value, 6)
            measured["published_is"] = (
                "below" if accuracy.value < low else "above" if accuracy.value > high else "inside"
            )
    return ComparisonRow(
        experiment=name,
        published_accuracy=accuracy.value if accuracy else None,
        sheet=accuracy.sheet if accuracy else None,
        condition=accuracy.condition if accuracy else None,
        stand_in=results is not None and results.test.provenance != "official",
        published=[_beside_measured(figure, results) for figure in published if figure.metric != EPOCH_SECONDS],
        learning=learning_rows(results.curves, results.train) if results and curves else [],
        **measured,
    )


def _beside_measured(figure: Baseline, results: _Results | None) -> PublishedFigure:
    about = figure.model_dump(include={"metric", "epoch", "value", "sheet", "condition"})
    if figure.metric == BEST_EPOCH:
        return PublishedFigure(**about, status="not measured")
    if not results:
        return PublishedFigure(**about, status="not run")
    found = _measured_after(figure.epoch, figure.metric, results) if figure.epoch else _measured(figure.metric, results)
    if not found:
        return PublishedFigure(**about, status="not measured")
    value, deviation = found
    return PublishedFigure(
        **about,
        measured=value,
        measured_std=deviation,
        difference=round(value - figure.value, 6),
        status="measured",
    )


def _measured_after(epoch: int, metric: str, results: _Results) -> tuple[float, float | None] | None:
    """A score after an epoch, as `_measured` gives it; None where the curves lack the part or the epoch."""
    part, score = metric.split("_", 1)
    points = [point for point in results.curves if (point.part, point.epoch) == (part, epoch)]
    if not points:
        return None
    summary = mean_and_deviation({point.seed: {score: getattr(point, score)} for point in points})
    return summary[score], summary.get(f"{score}_std")


def _measured(metric: str, results: _Results) -> tuple[float, float | None]:
    """A figure of an experiment, with its standard deviation over the seeds where there is one."""
    record = results.train if metric.startswith("train_") else results.test
    return getattr(record, metric), getattr(record, f"{metric}_std", None)
