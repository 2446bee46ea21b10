"""Two studies side by side, and whether the difference between them is real."""

from collections.abc import Sequence
from pathlib import Path

from reprolab.core.comparison import Contrast
from reprolab.core.errors import InputError
from reprolab.core.files import Record, atomic_directory, write_text
from reprolab.core.study import Study
from reprolab.evaluation.drawing import save_figure
from reprolab.reports.study_figures import repeats_figure
from reprolab.reports.study_text import difference_sentence, held_out
from reprolab.reports.tables import markdown_table, with_deviation
from reprolab.studies.record import Point, TrialRow, points_of
from reprolab.studies.statistics import Difference, paired_difference


class ContrastRecord(Record):
    """`<contrast>.json`: the objective of each study by seed or fold, and the difference, the second less the first."""

    objective: str
    repeats: str
    studies: list[str]
    scores: list[list[float]]
    difference: Difference


def contrast(
    entry: Contrast, studies: tuple[Study, Study], tables: tuple[list[TrialRow], list[TrialRow]]
) -> ContrastRecord:
    """Raises `InputError` where the two cannot be set beside each other."""
    names = [entry.first, entry.second]
    if studies[0].dataset != studies[1].dataset:
        raise InputError(f"the studies {' and '.join(names)} are of different data sets; choose two of one")
    if studies[0].objective != studies[1].objective:
        raise InputError(f"the studies {' and '.join(names)} have different objectives; give them one")
    first, second = (_one_point(*found) for found in zip(names, studies, tables, strict=True))
    keys = [[(row.seed, row.fold) for row in point.rows] for point in (first, second)]
    if keys[0] != keys[1]:
        raise InputError(f"the studies {' and '.join(names)} have other seeds or folds; give both the same")
    return ContrastRecord(
        objective=studies[0].objective,
        repeats="folds" if first.rows[0].fold else "seeds",
        studies=names,
        scores=[first.scores, second.scores],
        difference=paired_difference(first.scores, second.scores, held_out(first)),
    )


def save_contrast(output: Path, title: str, found: ContrastRecord) -> list[Path]:
    """Write `output`.json, the page to .md and the figure into the folder `output`; return the files."""
    scores, page = output.with_suffix(".json"), output.with_suffix(".md")
    groups = dict(zip(found.studies, found.scores, strict=True))
    with atomic_directory(output) as folder:
        figure = repeats_figure(title, found.objective, groups, f"each {found.repeats.removesuffix('s')}")
        save_figure(figure, folder / "difference.png")
    found.save(scores)
    picture = output / "difference.png"
    write_text(page, f"## {title}\n\n{contrast_text(found)}\n![{title}](<{picture}>)\n")
    return [scores, page, picture]


def contrast_scores(found: ContrastRecord) -> dict[str, float]:
    """What a run of the contrast shows."""
    return {"difference": found.difference.mean, "p": found.difference.p}


def contrast_text(found: ContrastRecord) -> str:
    objective = found.objective.replace("_", " ")
    points = [Point(0, [], scores) for scores in found.scores]
    lines = [
        [f"`{name}`", str(len(point.scores)), with_deviation(point.mean, point.std)]
        for name, point in zip(found.studies, points, strict=True)
    ]
    names = [f"`{name}`" for name in found.studies]
    sentence = difference_sentence(names[0], names[1], found.difference, found.objective)
    return f"{markdown_table(['study', found.repeats, objective], lines)}\nPaired t-test: {sentence}\n"


def _one_point(name: str, study: Study, rows: Sequence[TrialRow]) -> Point:
    points = points_of(study, rows)
    if len(points) != 1:
        raise InputError(f"the study {name} has {len(points)} points; a contrast takes studies of one, without a space")
    if not points[0].is_whole:
        reason = next(row.reason for row in rows if row.state != "finished")
        raise InputError(f"a training of the study {name} failed: {reason}")
    return points[0]
