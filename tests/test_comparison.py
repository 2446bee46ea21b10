"""The comparison with published figures, from the metrics to its files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from reprolab.core.errors import InputError
from reprolab.core.files import write_json
from reprolab.core.layout import leftovers
from reprolab.evaluation.record import EvaluationRecord
from reprolab.reports.baselines import Baseline
from reprolab.reports.comparison import compare, learning_curves, save_comparison, wilson_interval
from reprolab.reports.record import ComparisonRow, PublishedFigure, load_rows
from reprolab.reports.tables import comparison_table, learning_table, published_table
from tests.result_factories import (
    SEVERAL_SEEDS,
    make_baseline,
    make_curves,
    make_evaluation,
    make_row,
    make_train_record,
    write_results,
)


def one_row(metrics: Path, test: EvaluationRecord | None, *baselines: Baseline) -> ComparisonRow:
    """The row of `mlp`, whose two seeds train for three and four epochs."""
    if test:
        train = make_train_record(train_accuracy=0.875)
        write_results(metrics / "mlp", test, train, make_curves(epochs=(3, 4)))
    (row,) = compare("digits", ["mlp"], metrics, baselines, curves=False)
    return row


def figure(metric: str, value: float, status: str, **measured: Any) -> PublishedFigure:
    about = {"metric": metric, "value": value, "sheet": "lab9", "condition": "after 5 epochs"}
    return PublishedFigure.model_validate(about | {"status": status} | measured)


def test_wilson_interval_of_eight_in_ten_is_as_by_hand() -> None:
    # z = 1.959964: centre (0.8 + z²/20) / (1 + z²/10) = 0.716740, half width 0.226578.
    assert wilson_interval(0.8, 10) == (0.490162, 0.943318)


@pytest.mark.parametrize("images", [1, 10, 899, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.98, 1.0])
def test_wilson_interval_is_that_of_scipy(share: float, images: int) -> None:
    right = round(share * images)
    expected = binomtest(right, images).proportion_ci(0.95, "wilson")
    assert wilson_interval(right / images, images) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("published", "lies", "difference"),
    [(0.85, "inside", -0.05), (0.490162, "inside", 0.309838), (0.49, "below", 0.31), (0.9434, "above", -0.1434)],
)
def test_published_accuracy_lies_inside_below_or_above(
    tmp_path: Path, published: float, lies: str, difference: float
) -> None:
    row = one_row(tmp_path, make_evaluation(), make_baseline(published))
    assert (row.published_is, row.difference, row.published_accuracy) == (lies, difference, published)
    assert (row.low, row.high) == (0.490162, 0.943318)
    assert (row.sheet, row.condition) == ("lab9", "after 5 epochs")


def test_row_without_a_published_figure_holds_what_was_measured(tmp_path: Path) -> None:
    test = make_evaluation(**SEVERAL_SEEDS)
    row = one_row(tmp_path, test, make_baseline(0.9, "another"), make_baseline(0.9, dataset="mnist"))
    assert row == make_row(**test.model_dump(exclude={"device"}), low=0.490162, high=0.943318)
    assert row.has_run


def test_data_that_are_not_official_are_a_stand_in(tmp_path: Path) -> None:
    assert one_row(tmp_path, make_evaluation(provenance="JPEG stand-in (quality 75)")).stand_in


def test_experiment_that_was_not_run_still_shows_the_published_figure(tmp_path: Path) -> None:
    row = one_row(tmp_path, None, make_baseline(0.9))
    assert row == make_row(
        published_accuracy=0.9,
        sheet="lab9",
        condition="after 5 epochs",
        published=[figure("accuracy", 0.9, "not run")],
    )
    assert not row.has_run


@pytest.mark.parametrize("missing", ["train.json", "curves.csv", "test.json"])
def test_the_scores_of_a_former_training_are_no_result(tmp_path: Path, missing: str) -> None:
    # DVC removes what train writes before it trains anew; what evaluate wrote stays.
    write_results(tmp_path / "mlp")
    (tmp_path / "mlp" / missing).unlink()
    (row,) = compare("digits", ["mlp"], tmp_path, [make_baseline(0.9)], curves=True)
    assert not row.has_run and row.published == [figure("accuracy", 0.9, "not run")]
    assert learning_curves(["mlp"], tmp_path) == {"mlp": None}


@pytest.mark.parametrize(
    ("metric", "value", "measured", "deviation", "difference"),
    [
        ("accuracy", 0.9, 0.8, 0.01, -0.1),
        ("macro_f1", 0.75, 0.75, 0.02, 0.0),
        ("loss", 0.4, 0.5, 0.03, 0.1),
        ("train_accuracy", 0.75, 0.875, None, 0.125),
        ("parameters", 61706, 61706, None, 0.0),
    ],
)
def test_published_figure_stands_beside_the_measured_one(
    tmp_path: Path, metric: str, value: float, measured: float, deviation: float | None, difference: float
) -> None:
    row = one_row(tmp_path, make_evaluation(**SEVERAL_SEEDS), make_baseline(value, metric=metric))
    result = {"measured": measured, "measured_std": deviation, "difference": difference}
    assert row.published == [figure(metric, value, "measured", **result)]


def test_published_seconds_are_no_score(tmp_path: Path) -> None:
    row = one_row(tmp_path, make_evaluation(), make_baseline(22, metric="epoch_seconds"), make_baseline(0.4))
    assert [figure.metric for figure in row.published] == ["accuracy"]


@pytest.mark.parametrize("test", [None, make_evaluation()], ids=["not run", "run"])
def test_the_best_epoch_on_the_test_set_has_no_counterpart(tmp_path: Path, test: EvaluationRecord | None) -> None:
    row = one_row(tmp_path, test, make_baseline(0.9, metric="best_epoch_accuracy"))
    assert row.published == [figure("best_epoch_accuracy", 0.9, "not measured")]
    assert row.published_accuracy is None


@pytest.mark.parametrize(
    ("metric", "epoch", "result"),
    [
        # Of two seeds; the first one ends after three epochs, the second one after four.
        ("validation_accuracy", 2, {"measured": 1.0, "measured_std": 0.0, "difference": 0.1}),
        ("validation_accuracy", 3, {"measured": 0.85, "measured_std": 0.212132, "difference": -0.05}),
        ("train_loss", 4, {"measured": 0.0, "difference": -0.9}),
        ("train_macro_f1", 1, {"measured": 0.9, "measured_std": 0.0, "difference": 0.0}),
    ],
)
def test_a_figure_after_an_epoch_stands_beside_the_curves(
    tmp_path: Path, metric: str, epoch: int, result: dict[str, float]
) -> None:
    row = one_row(tmp_path, make_evaluation(), make_baseline(0.9, metric=metric, epoch=epoch))
    assert row.published == [figure(metric, 0.9, "measured", epoch=epoch, **result)]
    assert row.published_accuracy is None


def test_a_figure_after_an_epoch_that_the_curves_lack_is_not_measured(tmp_path: Path) -> None:
    late = make_baseline(0.9, metric="validation_accuracy", epoch=5)
    assert one_row(tmp_path, make_evaluation(), late).published == [
        figure("validation_accuracy", 0.9, "not measured", epoch=5)
    ]
    write_results(tmp_path / "mlp", curves=make_curves(parts=["train"]))
    first = make_baseline(0.9, metric="validation_accuracy", epoch=1)
    assert compare("digits", ["mlp"], tmp_path, [first], curves=False)[0].published[0].status == "not measured"


def test_rows_have_the_order_of_the_experiments(tmp_path: Path) -> None:
    names = ["b", "c", "a"]
    assert [row.experiment for row in compare("digits", names, tmp_path, [], curves=True)] == names
    assert list(learning_curves(names, tmp_path)) == names


@pytest.mark.parametrize("curves", [True, False])
def test_learning_is_there_where_curves_are_asked_for(tmp_path: Path, curves: bool) -> None:
    write_results(tmp_path / "mlp")
    run, absent = compare("digits", ["mlp", "absent"], tmp_path, [], curves=curves)
    assert [learning.moment for learning in run.learning] == (["last", "best"] if curves else [])
    assert absent.learning == []


def test_missing_metrics_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is missing: run `dvc repro`"):
        compare("digits", ["mlp"], tmp_path / "nowhere", [], curves=False)
    with pytest.raises(InputError, match="nowhere is missing: run `dvc repro`"):
        learning_curves(["mlp"], tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("test.json", "{", "Invalid JSON"),
        ("test.json", '{"accuracy": 0.5}', "loss: Field required"),
        ("train.json", "", "Invalid JSON"),
        ("train.json", '{"epochs": [1, 2]}', "train_loss: Field required"),
        ("curves.csv", "seed,epoch,part,loss,accuracy,macro_f1\n0,1,train,1.0,half,0.5\n", "accuracy: "),
        ("curves.csv", "seed,epoch,part,loss,accuracy,macro_f1\n0,1,test,1.0,0.5,0.5\n", "part: "),
        ("curves.csv", "", "it has no rows"),
    ],
)
def test_damaged_results_are_refused_by_file(tmp_path: Path, file: str, text: str, reason: str) -> None:
    write_results(tmp_path / "mlp")
    path = tmp_path / "mlp" / file
    path.write_text(text)
    with pytest.raises(InputError) as error:
        compare("digits", ["mlp"], tmp_path, [], curves=True)
    assert str(error.value).startswith(f"{path} is damaged") and reason in str(error.value)


def test_leftovers_are_the_folders_of_experiments_that_are_no_more(tmp_path: Path) -> None:
    for name in ("mlp", "old", "older"):
        (tmp_path / name).mkdir()
    (tmp_path / "note.txt").touch()
    assert leftovers(["mlp", "not-run"], tmp_path) == [tmp_path / "old", tmp_path / "older"]


def saved(folder: Path, *baselines: Baseline, curves: bool = False) -> tuple[list[ComparisonRow], list[Path]]:
    """Rows of an experiment that has run and one that has not, and what is written of them as `width`."""
    names = ["mlp", "absent"]
    write_results(folder / "digits" / "mlp")
    rows = compare("digits", names, folder / "digits", baselines, curves)
    drawn = learning_curves(names, folder / "digits") if curves else None
    return rows, save_comparison(folder / "comparison" / "width", "How wide", rows, drawn)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_comparison_has_rows_tables_and_a_figure(tmp_path: Path) -> None:
    rows, files = saved(tmp_path, make_baseline(0.9))
    folder = tmp_path / "comparison"
    assert files == [folder / name for name in ("width.json", "width.md", "width/accuracy.png")]
    assert files_below(folder) == {"width.json", "width.md", "width/accuracy.png"}
    assert load_rows(files[0]) == rows
    published = f"### Published figures\n\n{published_table(rows)}"
    assert files[1].read_text() == f"## How wide\n\n{comparison_table(rows)}\n{published}"
    assert files[2].read_bytes().startswith(b"\x89PNG")


def test_curves_have_a_table_and_a_figure_where_they_are_asked_for(tmp_path: Path) -> None:
    rows, files = saved(tmp_path, curves=True)
    folder = tmp_path / "comparison"
    assert [path.name for path in files] == ["width.json", "width.md", "accuracy.png", "curves.png"]
    assert files_below(folder) == {"width.json", "width.md", "width/accuracy.png", "width/curves.png"}
    assert load_rows(files[0]) == rows and rows[0].learning
    learning = f"### Learning curves\n\n{learning_table(rows)}"
    assert files[1].read_text() == f"## How wide\n\n{comparison_table(rows)}\n{learning}"
    saved(tmp_path)
    assert "width/curves.png" not in files_below(folder)


def test_every_row_of_the_file_has_every_key(tmp_path: Path) -> None:
    _, (path, *_) = saved(tmp_path, make_baseline(0.9), curves=True)
    run, absent = json.loads(path.read_text())
    assert list(run) == list(absent) == list(ComparisonRow.model_fields)
    assert (absent["experiment"], absent["accuracy"], absent["images"]) == ("absent", None, None)
    assert list(run["published"][0]) == list(PublishedFigure.model_fields)
    assert path.read_text() == json.dumps([run, absent], indent=2) + "\n"


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    _, (path, *_) = saved(tmp_path)
    rows = json.loads(path.read_text())
    del rows[1]["learning"]
    write_json(path, rows)
    with pytest.raises(InputError, match=r"width\.json is damaged, or of another version.*1\.learning: Field required"):
        load_rows(path)


def test_reports_start_fast() -> None:
    # PyTorch alone takes seconds, and `dvc repro` starts the stage anew for each comparison.
    code = "import sys, reprolab.reports.comparison, reprolab.reports.pages; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
