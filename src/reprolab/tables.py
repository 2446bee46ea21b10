"""The comparison as Markdown."""

from collections.abc import Sequence

from reprolab.comparison import Row

HEADER = (
    "| experiment | seeds | accuracy | 95 % interval | published | difference | published lies | macro-F1 | loss "
    "| parameters |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


def comparison_table(rows: Sequence[Row]) -> str:
    """A table with a line for each experiment, and notes on the data below it."""
    lines = [_line(row) for row in rows]
    return HEADER + "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + _notes(rows)


def _line(row: Row) -> list[str]:
    published = row["published_accuracy"]
    name = f"`{row['experiment']}`" + (" †" if row["stand_in"] else "")
    if row["accuracy"] is None:
        return [name, "", "not run", "", _number(published), "", "", "", "", ""]
    return [
        name,
        str(row["seeds"]),
        _with_deviation(row, "accuracy"),
        f"{_number(row['low'])} – {_number(row['high'])}",
        _number(published),
        "—" if published is None else f"{row['difference']:+.4f}".replace("-", "−"),
        {"inside": "inside the interval", "below": "below it", "above": "above it", None: "—"}[row["published_is"]],
        _beside_published(row, "macro_f1"),
        _beside_published(row, "loss"),
        f"{row['parameters']:,}",
    ]


def _notes(rows: Sequence[Row]) -> str:
    conditions: dict[str, list[str]] = {}
    for row in rows:
        if row["sheet"]:
            conditions.setdefault(f"{row['sheet']}: {row['condition']}", []).append(f"`{row['experiment']}`")
    notes = [f"{', '.join(names)} — published in {source}." for source, names in conditions.items()]
    for provenance in dict.fromkeys(row["provenance"] for row in rows if row["stand_in"]):
        notes.append(f"† trained and tested on a {provenance}, not on the official images.")
    if any((row["seeds"] or 1) > 1 for row in rows):
        notes.append("± is the standard deviation over the seeds.")
    if any(row["accuracy"] and (row["published_macro_f1"] or row["published_loss"]) for row in rows):
        notes.append("In brackets: the published figure.")
    return "\n" + "".join(f"- {note}\n" for note in notes) if notes else ""


def _with_deviation(row: Row, score: str) -> str:
    deviation = row[f"{score}_std"]
    return _number(row[score]) + ("" if deviation is None else f" ± {_number(deviation)}")


def _beside_published(row: Row, score: str) -> str:
    published = row[f"published_{score}"]
    return _with_deviation(row, score) + ("" if published is None else f" ({_number(published)})")


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"
