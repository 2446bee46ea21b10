"""Generated tables and pictures in README.md and docs/*.md.

A page holds them between the lines `<!-- <kind> <name>: begin -->` and `<!-- <kind> <name>: end -->`; `KINDS` says what
there is. Everything is read from `metrics/` and `figures/data/`, so nothing has to run for it.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from reprolab.core.config import Params
from reprolab.core.errors import InputError, choice
from reprolab.core.files import read_table, write_text
from reprolab.core.layout import (
    BASELINES,
    CLASSES,
    CURVES,
    TEST,
    comparison_file,
    contrast_file,
    costs_file,
    data_figures_folder,
    has_run,
    layers_file,
    metrics_folder,
    study_file,
)
from reprolab.evaluation.record import ClassRow, Costs, EvaluationRecord, LayerRow
from reprolab.reports.baselines import EPOCH_SECONDS, load_baselines
from reprolab.reports.contrasts import ContrastRecord, contrast_text
from reprolab.reports.record import load_rows
from reprolab.reports.study_text import study_text
from reprolab.reports.tables import (
    CostsRow,
    classes_table,
    comparison_table,
    costs_table,
    layers_table,
    learning_table,
    progress_table,
    published_table,
)
from reprolab.studies.record import load_rows as load_trials
from reprolab.studies.record import short_keys
from reprolab.training.record import CurvePoint

README, DOCS = Path("README.md"), Path("docs")
MARK = re.compile(r"^<!-- (?P<label>[^\n:]*): (?P<side>begin|end) -->$\n?", re.MULTILINE)
PICTURE = re.compile(r"\]\(<(?P<path>[^>]+)>\)")
RESULTS = "results"


@dataclass(frozen=True)
class Kind:
    """What may stand behind the kind's word, and the text for it. `names` is None for a kind without names.

    A picture is linked in it by its path from the root, as `![title](<path>)`.
    """

    noun: str
    names: Callable[[Params], Iterable[str]] | None
    text: Callable[[Params, str], str]


def write_pages(params: Params) -> None:
    """Renew the text between the marks of every page; write none when one is wrong.

    Raises `InputError` that names the page and the mark: an unknown kind or name, a mark without its other half, or a
    README.md without the marks of the results.
    """
    pages = [README, *sorted(DOCS.glob("*.md"))]
    old = {page: page.read_text(encoding="utf-8") if page.exists() else "" for page in pages}
    if not any(mark["label"] == RESULTS for mark in MARK.finditer(old[README])):
        raise InputError(
            f"{README} lacks the lines {_mark(RESULTS, 'begin')} and {_mark(RESULTS, 'end')}: "
            "add them where the tables go"
        )
    new = {page: filled(page, text, params) for page, text in old.items()}
    for page, text in new.items():
        if text != old[page]:
            write_text(page, text)
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
    text = PICTURE.sub(lambda link: f"]({os.path.relpath(link['path'], page.parent)})", kind.text(params, name))
    return f"\n{text}\n"


def _mark(label: str, side: str) -> str:
    return f"<!-- {label}: {side} -->"


def _results(params: Params, _: str) -> str:
    """The tables of the comparisons of whole data sets that have run, each below its title."""
    return "\n".join(
        f"### {comparison.title or name}\n\n{comparison_table(load_rows(comparison_file(name)))}"
        for name, comparison in params.comparisons.items()
        if not comparison.experiments and comparison_file(name).exists()
    )


def _comparison(_: Params, comparison: str) -> str:
    path = comparison_file(comparison)
    return comparison_table(load_rows(path)) if path.exists() else _not_run(comparison)


def _published(_: Params, comparison: str) -> str:
    path = comparison_file(comparison)
    return published_table(load_rows(path)) if path.exists() else _not_run(comparison)


def _learning(_: Params, comparison: str) -> str:
    path = comparison_file(comparison)
    rows = load_rows(path) if path.exists() else []
    # A file from before the comparison asked for curves has none.
    if not rows or any(row.has_run and not row.learning for row in rows):
        return _not_run(comparison)
    return learning_table(rows)


def _progress(params: Params, comparison: str) -> str:
    entry = params.comparison(comparison)
    folders = {name: metrics_folder(entry.dataset, name) for name in params.compared(entry)}
    return progress_table(
        {name: read_table(path / CURVES, CurvePoint) if has_run(path) else None for name, path in folders.items()}
    )


def _curves(params: Params, comparison: str) -> str:
    path = comparison_file(comparison).with_suffix("") / "curves.png"
    title = params.comparison(comparison).title or comparison
    return f"![{title}](<{path}>)\n" if path.exists() else _not_run(comparison)


def _pictures(_: Params, dataset: str) -> str:
    paths = sorted(data_figures_folder(dataset).glob("*.png"))
    if not paths:
        return f"Not drawn yet: `dvc repro describe@{dataset}`.\n"
    return "\n".join(f"![{dataset}: {path.stem}](<{path}>)\n" for path in paths)


def _classes(params: Params, dataset: str) -> str:
    folders = {name: metrics_folder(dataset, name) for name in params.experiments_of(dataset)}
    return classes_table(
        {name: read_table(path / CLASSES, ClassRow) if has_run(path) else None for name, path in folders.items()}
    )


def _costs(params: Params, dataset: str) -> str:
    seconds = {
        (row.dataset, row.experiment): row.value for row in load_baselines(BASELINES) if row.metric == EPOCH_SECONDS
    }
    rows = []
    for name in params.experiments_of(dataset):
        path, folder = costs_file(name), metrics_folder(dataset, name)
        costs = Costs.load(path) if path.exists() else None
        test = EvaluationRecord.load(folder / TEST) if has_run(folder) else None
        rows.append(CostsRow(name, costs, test, seconds.get((dataset, name))))
    return costs_table(rows)


def _layers(_: Params, experiment: str) -> str:
    path = layers_file(experiment)
    if not path.exists():
        return f"Not measured yet: `reprolab measure {experiment}`.\n"
    return layers_table(read_table(path, LayerRow))


def _study(params: Params, name: str) -> str:
    table = study_file(name)
    if not table.exists():
        return f"Not run yet: `dvc repro study@{name}`.\n"
    study, rows = params.study(name), load_trials(table)
    # A table from before the space got another key has no column for it.
    if not set(short_keys([dimension.key for dimension in study.dimensions()])) <= rows[0].settings.keys():
        return f"Not run yet: `dvc repro study@{name}`.\n"
    figures = [str(path) for path in sorted(table.with_suffix("").glob("*.png"))]
    return study_text(name, study, rows, figures)


def _contrast(params: Params, name: str) -> str:
    path = contrast_file(name)
    if not path.exists():
        return f"Not run yet: `dvc repro contrast@{name}`.\n"
    title = params.contrast(name).title or name
    return f"{contrast_text(ContrastRecord.load(path))}\n![{title}](<{path.with_suffix('') / 'difference.png'}>)\n"


def _with_curves(params: Params) -> list[str]:
    return [name for name, comparison in params.comparisons.items() if comparison.curves]


KINDS = {
    RESULTS: Kind("", None, _results),
    "comparison": Kind("comparison", lambda params: params.comparisons, _comparison),
    "published": Kind("comparison", lambda params: params.comparisons, _published),
    "learning": Kind("comparison with curves", _with_curves, _learning),
    "curves": Kind("comparison with curves", _with_curves, _curves),
    "progress": Kind("comparison with curves", _with_curves, _progress),
    "pictures": Kind("data set", lambda params: params.datasets, _pictures),
    "classes": Kind("data set", lambda params: params.datasets, _classes),
    "costs": Kind("data set", lambda params: params.datasets, _costs),
    "study": Kind("study", lambda params: params.studies, _study),
    "contrast": Kind("contrast", lambda params: params.contrasts, _contrast),
    "layers": Kind("experiment", lambda params: params.experiments, _layers),
}


def _not_run(comparison: str) -> str:
    return f"Not run yet: `dvc repro compare@{comparison}`.\n"
