"""The files of a study: table, page and figures."""

from collections.abc import Sequence
from pathlib import Path

from reprolab.core.config import Experiment
from reprolab.core.entry import experiment_yaml
from reprolab.core.files import atomic_directory, write_text
from reprolab.core.study import Study
from reprolab.evaluation.canvas import Figure
from reprolab.evaluation.drawing import save_figure
from reprolab.evaluation.figures import confusion_figure
from reprolab.evaluation.record import ConfusionRow
from reprolab.reports.study_figures import (
    contamination_figure,
    extremes_figure,
    parallel_figure,
    parameters_figure,
    repeats_figure,
    varied,
)
from reprolab.reports.study_text import SHOWN, point_name, study_text
from reprolab.studies.record import TrialRow, points_of, ranked, save_rows, summary
from reprolab.training.record import Epoch


def save_study(
    output: Path,
    name: str,
    study: Study,
    rows: Sequence[TrialRow],
    winner: Experiment | None,
    epochs: Sequence[Sequence[Epoch]],
    confusion: Sequence[ConfusionRow],
) -> list[Path]:
    """Write the table of trials to `output`.csv, the summary to .json, the page to .md and the figures into the folder
    `output`; return the files.

    `winner` are the settings of the best point, `epochs` those of its first training and of the worst point's, and
    `confusion` is its confusion matrix on what it was chosen by. Raises `InputError` where no point is whole.
    """
    title, found = study.title or name, summary(study, rows)
    figures = _figures(title, study, rows)
    points = ranked(study, points_of(study, rows))
    if len(points) > 1 and epochs:
        ends = zip(("best", "worst"), (points[0], points[-1]), epochs, strict=True)
        runs = {f"{end} ({point_name(study, point)})": curve for end, point, curve in ends}
        figures["curves.png"] = extremes_figure(title, runs)
    if confusion:
        what = f"{title}: the best point on its validation part, seed {points[0].rows[0].seed}"
        figures["confusion.png"] = confusion_figure(what, confusion)
    page = [f"# {title}\n", study_text(name, study, rows, [f"{output}/{file}" for file in figures])]
    if winner:
        page.append(
            f"The best point, ready for params.yaml (`reprolab adopt {name} <name>` enters it):\n\n"
            f"```yaml\n{experiment_yaml(f'{name}-best', winner, defaults=False)}```\n"
        )
    with atomic_directory(output) as folder:
        for file, figure in figures.items():
            save_figure(figure, folder / file)
    table, scores, text = (output.with_suffix(ending) for ending in (".csv", ".json", ".md"))
    save_rows(table, rows)
    found.save(scores)
    write_text(text, "\n".join(page))
    return [table, scores, text, *(output / file for file in figures)]


def _figures(title: str, study: Study, rows: Sequence[TrialRow]) -> dict[str, Figure]:
    """By file name, those that the table of trials tells."""
    points = ranked(study, points_of(study, rows))
    whole = sorted(points, key=lambda point: point.number)
    if points[0].share is not None:
        return {"contamination.png": contamination_figure(title, whole)}
    found = {}
    if len(points) > 1 and varied(study):
        found["parameters.png"] = parameters_figure(title, study, whole)
    if len(points) > 1 and len(varied(study)) > 1:
        found["parallel.png"] = parallel_figure(title, study, whole)
    if len(points[0].scores) > 1:
        shown = sorted(points[:SHOWN], key=lambda point: point.number)
        groups = {point_name(study, point): point.scores for point in shown}
        what = "each fold" if points[0].rows[0].fold else "each seed"
        found["repeats.png"] = repeats_figure(title, study.objective, groups, what)
    return found
