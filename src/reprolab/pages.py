"""Generated tables in README.md and docs/*.md.

A page holds a table between the lines `<!-- <kind> <name>: begin -->` and `<!-- <kind> <name>: end -->`; `KINDS` says
what there is. Everything is read from `metrics/`, so nothing has to run for it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprolab.config import Params
from reprolab.errors import InputError, choice
from reprolab.files import atomic_file, read_csv, read_json
from reprolab.results import has_run
from reprolab.tables import classes_table, comparison_table, costs_table, layers_table, published_table, study_table

README, DOCS, METRICS = Path("README.md"), Path("docs"), Path("metrics")
MARK = re.compile(r"^<!-- (?P<label>[^\n:]*): (?P<side>begin|end) -->$\n?", re.MULTILINE)
RESULTS = "results"


@dataclass(frozen=True)
class Kind:
    """What may stand behind the kind's word, and the text for it. `names` is None for a kind without names."""

    noun: str
    names: Callable[[Params], Iterable[str]] | None
    text: Callable[[Params, str], str]


def write_pages(params: Params) -> None:
    """Renew the text between the marks of every page; write none when one has a mistake.

    Raises `InputError` that names the page and the mark: an unknown kind or name, a mark without its other half, or a
    README.md without the marks of the results.
    """
    pages = [README, *sorted(DOCS.glob("*.md"))]
    old = {page: page.read_text() if page.exists() else "" for page in pages}
    if not any(mark["label"] == RESULTS for mark in MARK.finditer(old[README])):
        raise InputError(
            f"{README} lacks the lines {_mark(RESULTS, 'begin')} and {_mark(RESULTS, 'end')}: "
            "add them where the tables go"
        )
    new = {page: filled(page, text, params) for page, text in old.items()}
    for page, text in new.items():
        if text != old[page]:
            with atomic_file(page) as partial:
                partial.write_text(text)
            print(f"wrote {page}")


def filled(page: Path, text: str, params: Params) -> str:
    """The page's text with what belongs between its marks. Raises `InputError`, as `write_pages` does."""
    done: list[str] = []
    position = 0
    marks = list(MARK.finditer(text))
    while marks:
        begin, *marks = marks
        label = begin["label"]
        if begin["side"] == "end":
            raise InputError(f"{page}: {_mark(label, 'end')} has no {_mark(label, 'begin')} before it: add it")
        if not (marks and marks[0]["label"] == label and marks[0]["side"] == "end"):
            raise InputError(
                f"{page}: {_mark(label, 'begin')} has no {_mark(label, 'end')} before the next mark: "
                "add it where the table ends"
            )
        end, *marks = marks
        done += [text[position : begin.end()], _generated(page, label, params)]
        position = end.start()
    return "".join(done) + text[position:]


def _generated(page: Path, label: str, params: Params) -> str:
    word, _, name = label.partition(" ")
    where = f"{page}: {_mark(label, 'begin')}"
    if word not in KINDS:
        raise InputError(choice(f"{where}: unknown kind", word, KINDS))
    kind = KINDS[word]
    known = list(kind.names(params)) if kind.names else [""]
    if name not in known:
        if not kind.names:
            raise InputError(f"{where}: found the name '{name}'; {word} has none: remove it")
        raise InputError(choice(f"{where}: unknown {kind.noun}", name, known))
    return f"\n{kind.text(params, name)}\n"


def _mark(label: str, side: str) -> str:
    return f"<!-- {label}: {side} -->"


def _results(params: Params, _: str) -> str:
    compared = [name for name in params.datasets if _comparison_file(name).exists()]
    return "\n".join(f"### {name}\n\n{comparison_table(_comparison(name))}" for name in compared)


def _published(_: Params, dataset: str) -> str:
    if not _comparison_file(dataset).exists():
        return _not_run(f"compare@{dataset}")
    return published_table(_comparison(dataset))


def _study(_: Params, name: str) -> str:
    path = METRICS / "studies" / f"{name}.json"
    return study_table(read_json(path)) if path.exists() else _not_run(f"study@{name}")


def _classes(params: Params, dataset: str) -> str:
    folders = {name: METRICS / dataset / name for name in params.experiments_of(dataset)}
    return classes_table(
        {name: read_csv(path / "classes.csv") if has_run(path) else None for name, path in folders.items()}
    )


def _costs(params: Params, dataset: str) -> str:
    rows = []
    for name in params.experiments_of(dataset):
        path, folder = METRICS / "costs" / f"{name}.json", METRICS / dataset / name
        costs = read_json(path) if path.exists() else None
        if costs and "trainable_parameters" not in costs:
            raise InputError(f"{path} is of an earlier version of this code: run `reprolab measure`")
        rows.append((name, costs, read_json(folder / "test.json") if has_run(folder) else None))
    return costs_table(rows)


def _layers(_: Params, experiment: str) -> str:
    path = METRICS / "costs" / f"{experiment}-layers.csv"
    return layers_table(read_csv(path)) if path.exists() else f"Not measured yet: `reprolab measure {experiment}`.\n"


KINDS = {
    RESULTS: Kind("", None, _results),
    "published": Kind("data set", lambda params: params.datasets, _published),
    "study": Kind("study", lambda params: params.studies, _study),
    "classes": Kind("data set", lambda params: params.datasets, _classes),
    "costs": Kind("data set", lambda params: params.datasets, _costs),
    "layers": Kind("experiment", lambda params: params.experiments, _layers),
}


def _comparison_file(dataset: str) -> Path:
    return METRICS / "comparison" / f"{dataset}.json"


def _comparison(dataset: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_json(_comparison_file(dataset))
    if any(not {"published", "trainable_parameters"} <= row.keys() for row in rows):
        raise InputError(
            f"{_comparison_file(dataset)} is of an earlier version of this code: run `dvc repro compare@{dataset}`"
        )
    return rows


def _not_run(stage: str) -> str:
    return f"Not run yet: `dvc repro {stage}`.\n"
