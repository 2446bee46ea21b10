"""Results as Markdown tables: comparisons, published figures, learning curves, classes, costs and layers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reprolab.evaluation.record import ClassRow, Costs, EvaluationRecord, LayerRow
from reprolab.reports.record import ComparisonRow, LearningRow, PublishedFigure
from reprolab.training.record import CurvePoint, Scores, mean_and_deviation

COMPARISON = (
    "experiment", "seeds", "accuracy", "95 % interval", "published", "difference", "published is", "macro-F1", "loss",
    "parameters",
)  # fmt: skip
PUBLISHED = ("experiment", "figure", "published", "measured", "difference", "sheet and condition")
LEARNING = (
    "experiment", "seeds", "epoch", "train loss", "validation loss", "train accuracy", "validation accuracy",
    "train macro-F1", "validation macro-F1", "accuracy gap", "test accuracy", "test macro-F1",
)  # fmt: skip
COSTS = (
    "experiment", "parameters", "trainable", "MFLOPs an image", "training images/s", "inference images/s",
    "seconds an epoch", "published", "training memory, MB", "batch", "test accuracy",
)  # fmt: skip
PROGRESS = (1, 2, 3, 5, 10, 20, 50, 100)  # epochs that a table of progress shows
LAYERS = ("layer", "type", "input", "output", "maps", "parameters")
FIGURES = {"best_epoch_accuracy": "accuracy of the best epoch"}
INTERVAL = {"inside": "inside the interval", "below": "below it", "above": "above it"}
NOT_RUN, NOT_MEASURED, NOTHING = "not run", "not measured", "—"


def comparison_table(rows: Sequence[ComparisonRow]) -> str:
    """A line for each experiment, and notes on the data below it."""
    return markdown_table(COMPARISON, [_comparison_cells(row) for row in rows]) + _notes(_comparison_notes(rows))


def published_table(rows: Sequence[ComparisonRow]) -> str:
    """A line for each published figure of the compared experiments."""
    figures = [(row, figure) for row in rows for figure in row.published]
    if not figures:
        return "No figures are published for these experiments.\n"
    return markdown_table(PUBLISHED, [_published_cells(row, figure) for row, figure in figures]) + _notes(
        _published_notes(rows, [figure for _, figure in figures])
    )


def learning_table(rows: Sequence[ComparisonRow]) -> str:
    """A line for each experiment's last epoch, and one for its best epoch where that is another."""
    cells = [line for row in rows for line in _learning_cells(row)]
    notes = ["The gap is the accuracy on the training part less that on the validation part."]
    if any(learning.moment == "best" for row in rows for learning in row.learning):
        notes.append("The test part is scored with the weights of the best epoch on the validation part.")
    if any((row.seeds or 1) > 1 for row in rows):
        notes.append("Means over the seeds; ± is their standard deviation.")
    return markdown_table(LEARNING, cells) + _notes(notes)


def progress_table(experiments: Mapping[str, Sequence[CurvePoint] | None]) -> str:
    """The validation accuracy after some epochs, a column for each experiment with a validation part that has run.

    None stands for an experiment that has not run.
    """
    seeds: dict[str, dict[int, list[float]]] = {}
    for name, points in experiments.items():
        for point in points or ():
            if point.part == "validation":
                seeds.setdefault(name, {}).setdefault(point.epoch, []).append(point.accuracy)
    missing = [f"`{name}`" for name, points in experiments.items() if not points]
    notes = [f"Not run: {', '.join(missing)}."] if missing else []
    if not seeds:
        return _notes(notes).lstrip()
    last = {max(epochs) for epochs in seeds.values()}
    shown = sorted(last | {epoch for epoch in PROGRESS if epoch < max(last)})
    lines = [[str(epoch), *(_over_seeds(epochs.get(epoch)) for epochs in seeds.values())] for epoch in shown]
    notes.insert(0, "Accuracy on the validation part; ± is the standard deviation over the seeds.")
    return markdown_table(["epoch", *(f"`{name}`" for name in seeds)], lines) + _notes(notes)


def classes_table(experiments: Mapping[str, Sequence[ClassRow] | None]) -> str:
    """A line for each class, a column for each experiment that has run: the share of the class that is found.

    None stands for an experiment that has not run.
    """
    run = {name: {row.name: row.recall for row in rows} for name, rows in experiments.items() if rows}
    missing = [f"`{name}`" for name, rows in experiments.items() if not rows]
    notes = [f"Not run: {', '.join(missing)}."] if missing else []
    if not run:
        return _notes(notes).lstrip()
    classes = dict.fromkeys(name for shares in run.values() for name in shares)
    lines = [[label, *(_number(shares.get(label)) for shares in run.values())] for label in classes]
    return markdown_table(["class", *(f"`{name}`" for name in run)], lines) + _notes(notes)


@dataclass(frozen=True)
class CostsRow:
    """An experiment's costs and test scores, None where it has none, and the published seconds an epoch."""

    experiment: str
    costs: Costs | None
    test: EvaluationRecord | None
    published_seconds: float | None = None


def costs_table(rows: Sequence[CostsRow]) -> str:
    """A line for each experiment."""
    machines: dict[str, list[str]] = {}
    for row in rows:
        if costs := row.costs:
            where = f"{costs.device} ({costs.machine}), training in {costs.precision}, inference in float32"
            machines.setdefault(where, []).append(f"`{row.experiment}`")
    notes = [f"{', '.join(names)} — measured on {where}." for where, names in machines.items()]
    if len(machines) == 1:
        notes = [f"Measured on {where}." for where in machines]
    if machines:
        notes.append("Seconds an epoch follow from the images/s in training.")
    if any(row.published_seconds for row in rows):
        notes.append("Published seconds are those of the authors' machine.")
    return markdown_table(COSTS, [_costs_cells(row) for row in rows]) + _notes(notes)


def layers_table(rows: Iterable[LayerRow]) -> str:
    """A line for each layer."""
    return markdown_table(LAYERS, [_layer_cells(row) for row in rows])


def _comparison_cells(row: ComparisonRow) -> list[str]:
    published = _number(row.published_accuracy)
    if not row.has_run:
        return [_name(row), "", NOT_RUN, "", published, "", "", "", "", ""]
    return [
        _name(row),
        str(row.seeds),
        with_deviation(row.accuracy, row.accuracy_std),
        f"{_number(row.low)} – {_number(row.high)}",
        published,
        signed(row.difference),
        INTERVAL[row.published_is] if row.published_is else NOTHING,
        with_deviation(row.macro_f1, row.macro_f1_std),
        with_deviation(row.loss, row.loss_std),
        _parameters(row),
    ]


def _comparison_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    conditions: dict[str, list[str]] = {}
    for row in rows:
        if row.sheet:
            conditions.setdefault(f"{row.sheet}: {row.condition}", []).append(f"`{row.experiment}`")
    notes = [f"{', '.join(names)} — published in {source}." for source, names in conditions.items()]
    return notes + _stand_in_notes(rows) + _seeds_notes(rows)


def _published_cells(row: ComparisonRow, figure: PublishedFigure) -> list[str]:
    metric = figure.metric
    measured: str = figure.status
    if figure.measured is not None:
        measured = with_deviation(figure.measured, figure.measured_std, _form(metric))
    return [
        _name(row),
        _figure_name(figure),
        _number(figure.value, _form(metric)),
        measured,
        "" if figure.difference is None else signed(figure.difference, _form(metric)),
        f"{figure.sheet}: {figure.condition}",
    ]


def _figure_name(figure: PublishedFigure) -> str:
    name = FIGURES.get(figure.metric) or figure.metric.replace("macro_f1", "macro-F1").replace("_", " ")
    return name + (f" after epoch {figure.epoch}" if figure.epoch else "")


def _published_notes(rows: Sequence[ComparisonRow], figures: Sequence[PublishedFigure]) -> list[str]:
    measured = {figure.metric for figure in figures if figure.status == "measured"}
    notes = []
    if any(figure.status == "not measured" and not figure.epoch for figure in figures):
        notes.append(
            "Not measured: the sheet looked at the test set after each epoch; here it is read once, after the training."
        )
    if any(figure.status == "not measured" and figure.epoch for figure in figures):
        notes.append("Not measured after an epoch: the training had no such part, or fewer epochs.")
    if "train_accuracy" in measured:
        notes.append("Train accuracy is counted while the epoch's steps change the weights.")
    compared = [row for row in rows if row.published]
    return notes + _stand_in_notes(compared) + _seeds_notes(compared)


def _stand_in_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    provenances = dict.fromkeys(row.provenance for row in rows if row.stand_in)
    return [f"† trained and tested on a {provenance}, not on the official images." for provenance in provenances]


def _seeds_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    return ["± is the standard deviation over the seeds."] if any((row.seeds or 1) > 1 for row in rows) else []


def _learning_cells(row: ComparisonRow) -> list[list[str]]:
    name = f"`{row.experiment}`"
    if not row.learning:
        return [[name, "", NOT_RUN, *[""] * (len(LEARNING) - 3)]]
    lines = [[name, str(row.seeds), *_moment_cells(row.learning[0])]]
    lines += [["", "", *_moment_cells(learning)] for learning in row.learning[1:]]
    # The test part is scored once, with the weights of the best epoch, which is the last line.
    test = [with_deviation(row.accuracy, row.accuracy_std), with_deviation(row.macro_f1, row.macro_f1_std)]
    return [*([*line, "", ""] for line in lines[:-1]), [*lines[-1], *test]]


def _moment_cells(row: LearningRow) -> list[str]:
    # Seeds train for the same number of epochs, but each has a best one of its own.
    epochs: Iterable[int] = row.epochs if row.moment == "best" else dict.fromkeys(row.epochs)
    cells = [
        _number(_score(scores, name))
        for name in ("loss", "accuracy", "macro_f1")
        for scores in (row.train, row.validation)
    ]
    return [f"{row.moment}: {', '.join(map(str, epochs))}", *cells, signed(_score(row.gap, "accuracy"))]


def _score(scores: Scores | None, name: str) -> float | None:
    return None if scores is None else getattr(scores, name)


def _costs_cells(row: CostsRow) -> list[str]:
    name, costs, test = f"`{row.experiment}`", row.costs, row.test
    accuracy = with_deviation(test.accuracy, test.accuracy_std) if test else NOT_RUN
    published = _number(row.published_seconds, ",.1f")
    if costs is None:
        return [name, NOT_MEASURED, *[""] * 5, published, "", "", accuracy]
    return [
        name,
        f"{costs.parameters:,}",
        f"{costs.trainable_parameters:,}",
        f"{costs.flops_per_image / 1e6:,.2f}",
        _number(costs.training_images_per_second, ",.0f"),
        _number(costs.inference_images_per_second, ",.0f"),
        _number(costs.epoch_seconds, ",.1f"),
        published,
        _number(costs.training_memory_mb, ",.1f"),
        str(costs.batch_size),
        accuracy,
    ]


def _over_seeds(accuracies: Sequence[float] | None) -> str:
    if not accuracies:
        return ""
    summary = mean_and_deviation({seed: {"accuracy": value} for seed, value in enumerate(accuracies)})
    return with_deviation(summary["accuracy"], summary.get("accuracy_std"))


def _layer_cells(row: LayerRow) -> list[str]:
    maps = "" if row.maps is None else str(row.maps)
    return [row.layer, row.type, row.input, row.output, maps, f"{row.parameters:,}"]


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|---" * len(header) + "|\n"
    return f"| {' | '.join(header)} |\n{rule}" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _notes(notes: Sequence[str]) -> str:
    return "\n" + "".join(f"- {note}\n" for note in notes) if notes else ""


def _name(row: ComparisonRow) -> str:
    return f"`{row.experiment}`" + (" †" if row.stand_in else "")


def _parameters(row: ComparisonRow) -> str:
    frozen = row.trainable_parameters != row.parameters
    return f"{row.parameters:,}" + (f" ({row.trainable_parameters:,} trainable)" if frozen else "")


def _form(metric: str) -> str:
    return {"parameters": ",.0f"}.get(metric, ".4f")


def with_deviation(value: float | None, deviation: float | None, form: str = ".4f") -> str:
    return _number(value, form) + ("" if deviation is None else f" ± {_number(deviation, form)}")


def _number(value: float | None, form: str = ".4f") -> str:
    return NOTHING if value is None else format(value, form)


def signed(value: float | None, form: str = ".4f") -> str:
    if not value:
        return NOTHING if value is None else "0"
    return format(value, f"+{form}").replace("-", "−")
