"""A study as a page, from its table of trials."""

from collections.abc import Sequence

from reprolab.core.study import Study
from reprolab.reports.study_figures import names_of, varied
from reprolab.reports.tables import markdown_table, signed, with_deviation
from reprolab.studies.record import Point, TrialRow, points_of, ranked
from reprolab.studies.statistics import Difference, paired_difference

SHOWN = 10  # points of a table
WITHOUT_CHANCE = "a difference that chance gives less than once in twenty times"


def study_text(name: str, study: Study, rows: Sequence[TrialRow], figures: Sequence[str]) -> str:
    """Markdown without a title: what was tried, its best points, what repeats show; `figures` are paths from the root
    of the repository."""
    points = points_of(study, rows)
    parts = [_summary(study, rows, points)]
    if points[0].share is not None:
        parts.append(_contamination_table(points))
    else:
        parts.append(_points_table(study, points))
        if tests := _paired(study, points):
            parts.append(tests)
    if failures := _failures(rows):
        parts.append(failures)
    parts += [f"![{name}: {path.rpartition('/')[2].removesuffix('.png')}](<{path}>)\n" for path in figures]
    return "\n".join(parts)


def point_name(study: Study, point: Point) -> str:
    names = names_of(study, varied(study))
    return ", ".join(f"{name} {point.settings[name]}" for name in names) or study.of


def difference_sentence(first: str, second: str, found: Difference, objective: str) -> str:
    interval = f"95 % interval {signed(found.low)} to {signed(found.high)}"
    what = (
        f"{second} less {first}: {signed(found.mean)} in {objective.replace('_', ' ')} ({interval}, p = {found.p:.3g})"
    )
    if found.is_real:
        return f"{what}: {WITHOUT_CHANCE}."
    reach = max(abs(found.low - found.mean), abs(found.high - found.mean))
    return f"{what}: no difference is shown. {found.n} pairs like these show one from about {reach:.4f} on."


def pairs_of(first: Point, second: Point) -> tuple[list[float], list[float]] | None:
    """The objectives of two points by seed and fold; None where they were not trained with the same ones."""
    if not (first.is_whole and second.is_whole):
        return None
    keys = [[(row.seed, row.fold) for row in point.rows] for point in (first, second)]
    return (first.scores, second.scores) if keys[0] == keys[1] else None


def held_out(point: Point) -> float | None:
    """Held-out examples per trained one, where the trainings are on folds."""
    folds = max((row.fold or 0 for row in point.rows), default=0)
    return 1 / (folds - 1) if folds > 1 else None


def _summary(study: Study, rows: Sequence[TrialRow], points: Sequence[Point]) -> str:
    options = ", ".join(f"{key} {value}" for key, value in study.search.options.items())
    search = f"`{study.search.name}`{f' ({options})' if options else ''}"
    states = [row.state for row in rows]
    counts = [f"{states.count(state)} {state}" for state in ("pruned", "failed") if state in states]
    more = f", of which {' and '.join(counts)}" if counts else ""
    plural = "s" if len(points) > 1 else ""
    return (
        f"`{study.of}` on `{study.dataset}`, searched by {search}: {len(points)} point{plural}, {len(rows)} trainings"
        f"{more}. The test part is not read.\n"
    )


def _points_table(study: Study, points: Sequence[Point]) -> str:
    order = ranked(study, points)
    names = names_of(study, varied(study))
    repeats = "folds" if points[0].rows[0].fold else "seeds"
    score = study.objective.replace("_", " ")
    header = ["rank", *names, repeats, score, "training accuracy", "best epoch"]
    lines = []
    for rank, point in enumerate(order[:SHOWN], start=1):
        rows = point.rows
        lines.append(
            [
                str(rank),
                *(f"`{point.settings[name]}`" for name in names),
                str(len(rows)),
                with_deviation(point.mean, point.std),
                f"{sum(row.train_accuracy or 0 for row in rows) / len(rows):.4f}",
                ", ".join(str(epoch) for epoch in dict.fromkeys(row.best_epoch for row in rows)),
            ]
        )
    if len(order) > SHOWN:
        last = order[-1]
        mean = with_deviation(last.mean, last.std)
        values = [f"`{last.settings[name]}`" for name in names]
        lines.append([str(len(order)), *values, str(len(last.rows)), mean, "", ""])
    return markdown_table(header, lines)


def _contamination_table(points: Sequence[Point]) -> str:
    header = ("share trained on", "trainings", "scored accuracy", "clean accuracy", "faked")
    lines = []
    for point in filter(lambda point: point.scores, points):
        found = Point(point.number, point.rows, point.clean)
        faked = [scored - clean for scored, clean in zip(point.scores, point.clean, strict=True)]
        lines.append(
            [
                f"{point.share or 0:.0%}",
                str(len(point.rows)),
                with_deviation(point.mean, point.std),
                with_deviation(found.mean, found.std),
                signed(sum(faked) / len(faked)),
            ]
        )
    return markdown_table(header, lines)


def _paired(study: Study, points: Sequence[Point]) -> str:
    """Each point against the first one, over the same seeds or folds."""
    first, *others = points
    if not others or len(points) > SHOWN or len(first.scores) < 2:
        return ""
    lines = []
    for other in others:
        if pair := pairs_of(first, other):
            found = paired_difference(*pair, held_out=held_out(first), tests=len(others))
            names = f"`{point_name(study, first)}`", f"`{point_name(study, other)}`"
            lines.append(f"- {difference_sentence(*names, found, study.objective)}\n")
    if not lines:
        return ""
    several = f", the probabilities times {len(others)} for as many tests" if len(others) > 1 else ""
    return f"Paired t-tests over the same {'folds' if held_out(first) else 'seeds'}{several}:\n\n{''.join(lines)}"


def _failures(rows: Sequence[TrialRow]) -> str:
    reasons: dict[str, int] = {}
    for row in rows:
        if row.state == "failed":
            reasons[row.reason] = reasons.get(row.reason, 0) + 1
    return "".join(f"- {count} failed: {reason}\n" for reason, count in list(reasons.items())[:SHOWN])
