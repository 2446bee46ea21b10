"""Results as Markdown tables: comparisons, published figures, studies, classes, costs and layers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

COMPARISON = (
    "experiment", "seeds", "accuracy", "95 % interval", "published", "difference", "published is", "macro-F1", "loss",
    "parameters",
)  # fmt: skip
PUBLISHED = ("experiment", "figure", "published", "measured", "difference", "sheet and condition")
STUDY = (
    "experiment", "seeds", "epoch", "train loss", "validation loss", "train accuracy", "validation accuracy",
    "train macro-F1", "validation macro-F1", "accuracy gap", "test accuracy", "test macro-F1",
)  # fmt: skip
COSTS = (
    "experiment", "parameters", "trainable", "MFLOPs an image", "training images/s", "inference images/s",
    "training memory, MB", "batch", "test accuracy",
)  # fmt: skip
LAYERS = ("layer", "type", "input", "output", "maps", "parameters")
FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "loss": "loss",
    "train_accuracy": "train accuracy",
    "best_epoch_accuracy": "accuracy of the best epoch",
    "parameters": "parameters",
    "epoch_seconds": "seconds an epoch",
}
NOT_RUN, NOT_MEASURED, NOTHING = "not run", "not measured", "—"


def comparison_table(rows: Sequence[Row]) -> str:
    """A line for each experiment, and notes on the data below it."""
    return _table(COMPARISON, [_comparison_cells(row) for row in rows]) + _notes(_comparison_notes(rows))


def published_table(rows: Sequence[Row]) -> str:
    """A line for each published figure of the compared experiments."""
    figures = [(row, figure) for row in rows for figure in row["published"]]
    if not figures:
        return "No figures are published for these experiments.\n"
    return _table(PUBLISHED, [_published_cells(row, figure) for row, figure in figures]) + _notes(
        _published_notes(rows, [figure for _, figure in figures])
    )


def study_table(rows: Sequence[Row]) -> str:
    """Two lines for each experiment: its last epoch, and the epoch whose weights are kept where that is another."""
    cells = [line for row in rows for line in _study_cells(row)]
    notes = ["The gap is the accuracy on the training part less that on the validation part."]
    if any(not row["not_run"] and _keeps_an_earlier_epoch(row) for row in rows):
        notes.append("The test part is scored with the weights of the kept epoch: the best one on the validation part.")
    if any(not row["not_run"] and row["seeds"] > 1 for row in rows):
        notes.append("Means over the seeds; ± is their standard deviation.")
    return _table(STUDY, cells) + _notes(notes)


def classes_table(experiments: Mapping[str, Sequence[Mapping[str, str]] | None]) -> str:
    """A line for each class, a column for each experiment that has run: the share of the class that is found.

    `experiments` gives the rows of each experiment's classes.csv, or None where it has not run.
    """
    run = {name: {row["class"]: float(row["recall"]) for row in rows} for name, rows in experiments.items() if rows}
    missing = [f"`{name}`" for name, rows in experiments.items() if not rows]
    notes = [f"Not run: {', '.join(missing)}."] if missing else []
    if not run:
        return _notes(notes).lstrip()
    classes = dict.fromkeys(name for shares in run.values() for name in shares)
    lines = [[label, *(_number(shares.get(label)) for shares in run.values())] for label in classes]
    return _table(["class", *(f"`{name}`" for name in run)], lines) + _notes(notes)


def costs_table(rows: Sequence[tuple[str, Row | None, Row | None]]) -> str:
    """A line for each experiment, given as its name, its costs and its test.json, which may be None."""
    machines: dict[str, list[str]] = {}
    for name, costs, _ in rows:
        if costs:
            where = f"{costs['device']} ({costs['machine']}), training in {costs['precision']}, inference in float32"
            machines.setdefault(where, []).append(f"`{name}`")
    notes = [f"{', '.join(names)} — measured on {where}." for where, names in machines.items()]
    if len(machines) == 1:
        notes = [f"Measured on {where}." for where in machines]
    return _table(COSTS, [_costs_cells(*row) for row in rows]) + _notes(notes)


def layers_table(rows: Iterable[Mapping[str, str]]) -> str:
    """A line for each layer, from the rows of a `-layers.csv`."""
    return _table(LAYERS, [[*(row[key] for key in LAYERS[:-1]), f"{int(row['parameters']):,}"] for row in rows])


def _comparison_cells(row: Row) -> list[str]:
    published = row["published_accuracy"]
    if row["accuracy"] is None:
        return [_name(row), "", NOT_RUN, "", _number(published), "", "", "", "", ""]
    return [
        _name(row),
        str(row["seeds"]),
        _with_deviation(row, "accuracy"),
        f"{_number(row['low'])} – {_number(row['high'])}",
        _number(published),
        _signed(row["difference"]),
        {"inside": "inside the interval", "below": "below it", "above": "above it", None: NOTHING}[row["published_is"]],
        _with_deviation(row, "macro_f1"),
        _with_deviation(row, "loss"),
        _parameters(row["parameters"], row["trainable_parameters"]),
    ]


def _comparison_notes(rows: Sequence[Row]) -> list[str]:
    conditions: dict[str, list[str]] = {}
    for row in rows:
        if row["sheet"]:
            conditions.setdefault(f"{row['sheet']}: {row['condition']}", []).append(f"`{row['experiment']}`")
    notes = [f"{', '.join(names)} — published in {source}." for source, names in conditions.items()]
    return notes + _stand_in_notes(rows) + _seeds_notes(rows)


def _published_cells(row: Row, figure: Row) -> list[str]:
    metric = figure["metric"]
    measured = figure["status"]
    if figure["measured"] is not None:
        deviation = figure["measured_std"]
        measured = _figure(metric, figure["measured"])
        measured += "" if deviation is None else f" ± {_figure(metric, deviation)}"
        measured += f" on {figure['device']}" if metric == "epoch_seconds" else ""
    return [
        _name(row),
        FIGURES.get(metric) or f"accuracy after epoch {metric.rpartition('_')[2]}",
        _figure(metric, figure["value"]),
        measured,
        "" if figure["difference"] is None else _signed(figure["difference"], _form(metric)),
        f"{figure['sheet']}: {figure['condition']}",
    ]


def _published_notes(rows: Sequence[Row], figures: Sequence[Row]) -> list[str]:
    notes = []
    if any(figure["status"] == "not measured" for figure in figures):
        notes.append(
            "Not measured: the sheet looked at the test set after each epoch; here it is read once, after the training."
        )
    if any((figure["metric"], figure["status"]) == ("train_accuracy", "measured") for figure in figures):
        notes.append("Train accuracy is counted while the epoch's steps change the weights.")
    if any((figure["metric"], figure["status"]) == ("epoch_seconds", "measured") for figure in figures):
        notes.append("Seconds an epoch are those of another machine than the authors'.")
    compared = [row for row in rows if row["published"]]
    return notes + _stand_in_notes(compared) + _seeds_notes(compared)


def _stand_in_notes(rows: Sequence[Row]) -> list[str]:
    provenances = dict.fromkeys(row["provenance"] for row in rows if row["stand_in"])
    return [f"† trained and tested on a {provenance}, not on the official images." for provenance in provenances]


def _seeds_notes(rows: Sequence[Row]) -> list[str]:
    return ["± is the standard deviation over the seeds."] if any((row["seeds"] or 1) > 1 for row in rows) else []


def _study_cells(row: Row) -> list[list[str]]:
    name = f"`{row['experiment']}`"
    if row["not_run"]:
        return [[name, "", NOT_RUN, *[""] * (len(STUDY) - 3)]]
    scores = ("loss", "accuracy", "macro_f1")

    def moment(when: str) -> list[str]:
        cells = [_number(row[f"{when}_{part}_{score}"]) for score in scores for part in ("train", "validation")]
        return [*cells, _signed(row[f"{when}_accuracy_gap"])]

    test = [_with_deviation(row, "accuracy"), _with_deviation(row, "macro_f1")]
    seeds, epochs = str(row["seeds"]), f"last: {row['epochs']}"
    if not _keeps_an_earlier_epoch(row):
        return [[name, seeds, epochs, *moment("last"), *test]]
    kept = f"kept: {', '.join(map(str, row['kept_epochs']))}"
    return [[name, seeds, epochs, *moment("last"), "", ""], ["", "", kept, *moment("kept"), *test]]


def _keeps_an_earlier_epoch(row: Row) -> bool:
    return set(row["kept_epochs"]) != {row["epochs"]}


def _costs_cells(name: str, costs: Row | None, test: Row | None) -> list[str]:
    accuracy = _with_deviation(test, "accuracy") if test else NOT_RUN
    if costs is None:
        return [f"`{name}`", NOT_MEASURED, *[""] * (len(COSTS) - 3), accuracy]
    return [
        f"`{name}`",
        f"{costs['parameters']:,}",
        f"{costs['trainable_parameters']:,}",
        f"{costs['flops_per_image'] / 1e6:,.2f}",
        _number(costs["training_images_per_second"], ",.0f"),
        _number(costs["inference_images_per_second"], ",.0f"),
        _number(costs["training_memory_mb"], ",.1f"),
        str(costs["batch_size"]),
        accuracy,
    ]


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|---" * len(header) + "|\n"
    return f"| {' | '.join(header)} |\n{rule}" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _notes(notes: Sequence[str]) -> str:
    return "\n" + "".join(f"- {note}\n" for note in notes) if notes else ""


def _name(row: Row) -> str:
    return f"`{row['experiment']}`" + (" †" if row["stand_in"] else "")


def _parameters(count: int, trainable: int) -> str:
    return f"{count:,}" + (f" ({trainable:,} trainable)" if trainable != count else "")


def _with_deviation(row: Row, score: str) -> str:
    deviation = row.get(f"{score}_std")
    return _number(row[score]) + ("" if deviation is None else f" ± {_number(deviation)}")


def _form(metric: str) -> str:
    return {"parameters": ",.0f", "epoch_seconds": ",.1f"}.get(metric, ".4f")


def _figure(metric: str, value: float) -> str:
    return format(value, _form(metric))


def _number(value: float | None, form: str = ".4f") -> str:
    return NOTHING if value is None else format(value, form)


def _signed(value: float | None, form: str = ".4f") -> str:
    if not value:
        return NOTHING if value is None else "0"
    return format(value, f"+{form}").replace("-", "−")
