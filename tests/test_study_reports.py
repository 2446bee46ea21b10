"""The page and the figures of a study, and of two studies beside each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reprolab.core.study import Study
from reprolab.evaluation.record import ConfusionRow
from reprolab.reports.studies import save_study
from reprolab.reports.study_figures import (
    contamination_figure,
    extremes_figure,
    parallel_figure,
    parameters_figure,
    repeats_figure,
)
from reprolab.reports.study_text import study_text
from reprolab.studies.record import Summary, TrialRow, load_rows, points_of
from tests.factories import make_epoch, make_experiment, make_scores
from tests.studied import make_failed, make_study, make_trial

CONFUSION = [
    ConfusionRow(actual=actual, predicted=predicted, count=1, share=0.5) for actual in "ab" for predicted in "ab"
]
CURVES = [[make_epoch(number, validation=make_scores()) for number in (1, 2)]] * 2


def grid(*keys: str, values: int = 3, **options: Any) -> tuple[Study, list[TrialRow]]:
    """A grid over these keys of an optimizer, with a score for each of its points."""
    found = {key: [number / 10 for number in range(values)] for key in keys}
    study = make_study(space={"training": {"optimizer": found}} if keys else {}, **options)
    points: list[dict[str, str]] = [{}]
    for key in keys:
        points = [{**point, key: str(value)} for point in points for value in found[key]]
    return study, [make_trial(n, score=n / 100, settings=settings) for n, settings in enumerate(points)]


def repeated(points: int, repeats: int = 3, **options: Any) -> tuple[Study, list[TrialRow]]:
    """Points of a learning rate, each with several seeds, or folds where these are among the options."""
    study, rows = grid("lr", values=points, **options) if points > 1 else grid(**options)
    of_folds = study.search.name == "folds"
    return study, [
        make_trial(row.point, 0 if of_folds else n, row.point / 10 + n / 100 + (n % 2) * row.point / 50,
                   settings=row.settings, fold=n + 1 if of_folds else None)
        for row in rows
        for n in range(repeats)
    ]  # fmt: skip


def contaminated() -> tuple[Study, list[TrialRow]]:
    study = make_study("contamination", shares=[0, 0.5, 1], seeds=2)
    return study, [
        make_trial(point, seed, 0.7 + share / 10, share=share, clean_accuracy=0.7 + seed / 100)
        for point, share in enumerate((0.0, 0.5, 1.0))
        for seed in (0, 1)
    ]


def sampled() -> tuple[Study, list[TrialRow]]:
    space: dict[str, Any] = {
        "training": {"optimizer": {"lr": {"low": 1e-4, "high": 1.0, "log": True}}, "epochs": {"low": 1, "high": 9}},
        "model": {"hidden": [[2], [4]]},
    }
    rows = [
        make_trial(n, score=n / 10, settings={"lr": str(10.0**-n), "epochs": str(n + 1), "hidden": "[2]"})
        for n in range(4)
    ]
    failed = make_failed(4, settings={"lr": "0.5", "epochs": "1", "hidden": "[4]"})
    pruned = make_trial(5, settings={"lr": "0.6", "epochs": "1", "hidden": "[4]"}, state="pruned")
    return make_study("tpe", space, points=6), [*rows, failed, pruned]


KIND = {
    "grid of one key": (grid("lr"), {"parameters", "curves", "confusion"}),
    "grid of two keys": (grid("lr", "momentum"), {"parameters", "parallel", "curves", "confusion"}),
    "one point": (grid(), {"confusion"}),
    "one value": (grid("lr", values=1), {"confusion"}),
    "sampled": (sampled(), {"parameters", "parallel", "curves", "confusion"}),
    "seeds": (repeated(1, search="seeds", seeds=3), {"repeats", "confusion"}),
    "seeds of points": (repeated(2, search="seeds", seeds=3), {"parameters", "repeats", "curves", "confusion"}),
    "folds": (repeated(1, search="folds", folds=3), {"repeats", "confusion"}),
    "contamination": (contaminated(), {"contamination"}),
}


@pytest.mark.parametrize("kind", KIND)
def test_each_kind_of_study_has_its_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (study, rows), figures = KIND[kind]
    plain = kind == "contamination"
    written = save_study(Path("study/s"), "s", study, rows, None, [] if plain else CURVES, [] if plain else CONFUSION)
    assert {str(path) for path in written} == {
        "study/s.csv", "study/s.json", "study/s.md", *(f"study/s/{name}.png" for name in figures),
    }  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written if path.suffix == ".png")
    assert {path.stem for path in Path("study/s").iterdir()} == figures
    assert load_rows(Path("study/s.csv")) == rows
    assert Summary.load(Path("study/s.json")).trainings == len(rows)
    page = Path("study/s.md").read_text(encoding="utf-8")
    assert page.startswith("# s\n\n`small` on `digits`, searched by `")
    assert all(f"(<study/s/{name}.png>)" in page for name in figures)


def test_a_former_figure_is_gone(tmp_path: Path) -> None:
    save_study(tmp_path / "s", "s", *grid("lr", "momentum"), None, CURVES, CONFUSION)
    save_study(tmp_path / "s", "s", *grid(), None, CURVES, [])
    assert list((tmp_path / "s").iterdir()) == []


def test_the_page_has_the_winner_ready_to_paste(tmp_path: Path) -> None:
    save_study(tmp_path / "s", "s", *grid("lr"), make_experiment({"seeds": [7]}), CURVES, CONFUSION)
    page = (tmp_path / "s.md").read_text()
    assert "`reprolab adopt s <name>`" in page and "```yaml\n  s-best:\n    dataset: digits\n" in page
    assert "freeze" not in page  # what is not given


# Figures


def points(study: Study, rows: list[TrialRow]) -> Any:
    return [point for point in points_of(study, rows) if point.is_whole]


def labels(figure: Figure) -> list[str]:
    return [axis.get_xlabel() for axis in figure.axes if axis.axison]


def heights(line: Line2D) -> list[float]:
    found: list[float] = np.asarray(line.get_ydata(), float).round(6).tolist()
    return found


@pytest.mark.parametrize(("keys", "panels"), [(["lr"], 1), (["lr", "momentum"], 2), (["a", "b", "c", "d"], 4)])
def test_there_is_a_panel_and_an_axis_for_each_varied_key(keys: list[str], panels: int) -> None:
    study, rows = grid(*keys, values=2)
    study = study.model_copy(update={"space": {**study.space, "input": {"flip": [False]}}})
    rows = [make_trial(row.point, score=row.point / 10, settings={**row.settings, "flip": "false"}) for row in rows]
    assert labels(parameters_figure("s", study, points(study, rows))) == keys
    (axis,) = parallel_figure("s", study, points(study, rows)).axes
    assert [tick.get_text() for tick in axis.get_xticklabels()] == [*keys, "validation\naccuracy"]
    assert len(keys) == panels and len(axis.lines) == len(rows) + panels + 1


@pytest.mark.parametrize(
    ("objective", "expected"), [("validation_accuracy", [0.01, 0.03]), ("validation_loss", [0.99, 0.97])]
)
def test_a_panel_shows_every_point_and_the_best_and_the_mean_of_each_value(
    objective: str, expected: list[float]
) -> None:
    study, rows = grid("lr", "momentum", values=2)
    study = study.model_copy(update={"objective": objective})
    axis = parameters_figure("s", study, points(study, rows)).axes[0]
    each, best, mean = (heights(line) for line in axis.lines)
    assert len(each) == 4
    assert best == pytest.approx(expected)
    assert mean == pytest.approx([0.005, 0.025] if study.maximizes else [0.995, 0.975])


def test_a_range_has_its_own_scale() -> None:
    study, rows = sampled()
    figure = parameters_figure("s", study, points(study, rows))
    assert [axis.get_xscale() for axis in figure.axes] == ["log", "linear", "linear"]
    assert parallel_figure("s", study, points(study, rows)).axes[0].get_xlim()[1] > 3


def test_repeats_are_a_row_of_points_and_a_mean_each_joined_by_seed() -> None:
    figure = repeats_figure("s", "validation_accuracy", {"a": [0.1, 0.2], "b": [0.3, 0.5]}, "each seed")
    (axis,) = figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a", "b"]
    joins = [list(line.get_xdata()) for line in axis.lines if line.get_color() == "gray"]  # type: ignore[arg-type]
    assert joins == [[0.1, 0.3], [0.2, 0.5]]


def test_contamination_shows_the_faked_score_and_the_true_one() -> None:
    (axis,) = contamination_figure("s", points(*contaminated())).axes
    scored, clean = (heights(line) for line in axis.lines)
    assert (scored, clean) == ([0.7, 0.75, 0.8], [0.705, 0.705, 0.705])


def test_extremes_have_a_thin_line_of_training_and_a_thick_one_of_validation_each() -> None:
    figure = extremes_figure("s", dict(zip(("best", "worst"), CURVES, strict=True)))
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    assert [line.get_linewidth() for line in figure.axes[0].lines] == [0.8, 2, 0.8, 2]


# Text


def text(study: Study, rows: list[TrialRow]) -> str:
    return study_text("s", study, rows, [])


def test_the_table_has_the_varied_keys_and_the_points_by_rank() -> None:
    lines = text(*grid("lr", seeds=1)).splitlines()
    assert (
        lines[0]
        == "`small` on `digits`, searched by `grid` (seeds 1): 3 points, 3 trainings. The test part is not read."
    )
    assert lines[2:7] == [
        "| rank | lr | seeds | validation accuracy | training accuracy | best epoch |",
        "|---|---|---|---|---|---|",
        "| 1 | `0.2` | 1 | 0.0200 | 0.8750 | 2 |",
        "| 2 | `0.1` | 1 | 0.0100 | 0.8750 | 2 |",
        "| 3 | `0.0` | 1 | 0.0000 | 0.8750 | 2 |",
    ]


def test_of_many_points_the_ten_best_and_the_worst_are_shown() -> None:
    lines = [line.split(" | ")[0] for line in text(*grid("lr", values=20)).splitlines()]
    assert [line for line in lines if line.startswith("| ")] == ["| rank", *(f"| {n}" for n in [*range(1, 11), 20])]


def test_failures_are_counted_by_reason() -> None:
    study, rows = sampled()
    found = text(
        study, [*rows, make_failed(6, settings=rows[0].settings), make_failed(7, settings=rows[0].settings, reason="b")]
    )
    assert "8 points, 8 trainings, of which 1 pruned and 3 failed." in found
    assert "- 2 failed: it diverged\n- 1 failed: b\n" in found


def test_points_with_several_seeds_are_tested_against_the_first() -> None:
    found = text(*repeated(3, search="seeds", seeds=3))
    assert (
        "Paired t-tests over the same seeds, the probabilities times 2 for as many tests:\n\n- `lr 0.1` less " in found
    )
    assert found.count(" less `lr 0.0`: ") == 2
    assert "Paired" not in text(*repeated(1, search="seeds", seeds=3))
    assert "Paired" not in text(*grid("lr"))
    assert "Paired t-tests over the same folds:" in text(*repeated(2, search="folds", folds=3))
    assert "Paired" not in text(*repeated(11, search="seeds", seeds=3))


def test_no_test_is_announced_where_the_first_point_lacks_a_training() -> None:
    study, rows = repeated(2, search="seeds", seeds=3)
    assert "Paired" not in text(study, [make_failed(0, 0, settings=rows[0].settings), *rows[1:]])


def test_contamination_has_a_row_a_share_that_was_trained() -> None:
    study, rows = contaminated()
    lines = text(study, rows).splitlines()
    assert lines[4] == "| 0% | 2 | 0.7000 ± 0.0000 | 0.7050 ± 0.0071 | −0.0050 |"
    assert lines[6] == "| 100% | 2 | 0.8000 ± 0.0000 | 0.7050 ± 0.0071 | +0.0950 |"
    failed = [make_failed(2, seed, share=1.0) for seed in (0, 1)]
    assert "| 100% |" not in text(study, [*rows[:4], *failed])
