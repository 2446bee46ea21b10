"""A study, from the metrics of its experiments to its table and its run."""

import runpy
from pathlib import Path
from typing import Any

import mlflow
import pytest

from reprolab.errors import InputError
from reprolab.files import read_json, write_csv, write_json
from reprolab.inputs import StageInputs
from reprolab.studies import study_curves, study_rows
from reprolab.tables import study_table
from reprolab.tracking import tracking_uri, view_run
from tests.conftest import REPOSITORY

PARAMS = """\
datasets:
  digits:
    source: {name: digits}
    split: {validation: 0.1, seed: 0}
experiments:
  small:
    dataset: digits
    model: {name: mlp, hidden: [4]}
    init_from: random
    input: {}
    training: {epochs: 2, batch_size: 64, optimizer: {name: sgd, lr: 0.1}, seeds: [0, 1]}
  absent:
    dataset: digits
    model: {name: mlp, hidden: [9]}
    init_from: random
    input: {}
    training: {epochs: 2, batch_size: 64, optimizer: {name: sgd, lr: 0.1}, seeds: [0]}
studies:
  width: {title: How wide, dataset: digits, experiments: [small, absent]}
"""
PIPELINE = """\
stages:
  study:
    foreach: ${studies}
    do:
      cmd: python stages/study.py ${key}
      deps: ["metrics/${item.dataset}"]
      params: ["studies.${key}"]
"""
TEST = {
    "loss": 0.5, "loss_std": 0.05, "accuracy": 0.8, "accuracy_std": 0.01, "macro_f1": 0.75, "macro_f1_std": 0.02,
    "seeds": 2,
}  # fmt: skip
TRAIN = {
    "train_loss": 0.4, "train_accuracy": 0.85, "train_macro_f1": 0.84,
    "validation_loss": 0.6, "validation_accuracy": 0.8, "validation_macro_f1": 0.78,
    "epochs": [1, 2],
}  # fmt: skip


def curve(seed: int, epoch: int, part: str, value: float) -> dict[str, Any]:
    """A line of curves.csv whose accuracy is `value`."""
    return {
        "seed": seed, "epoch": epoch, "part": part, "loss": round(1 - value, 6), "accuracy": value,
        "macro_f1": round(value - 0.1, 6),
    }  # fmt: skip


def write_small(metrics: Path, parts: tuple[str, ...] = ("train", "validation"), **train: Any) -> None:
    folder = metrics / "small"
    write_json(folder / "test.json", TEST)
    write_json(folder / "train.json", TRAIN | train)
    last = {("train", 0): 0.9, ("train", 1): 1.0, ("validation", 0): 0.7, ("validation", 1): 0.8}
    lines = [(seed, epoch, part) for seed in (0, 1) for epoch in (1, 2) for part in parts]
    write_csv(
        folder / "curves.csv",
        # Only the last epoch should count, though the first one is better.
        [curve(seed, epoch, part, last[part, seed] if epoch == 2 else 1.0) for seed, epoch, part in lines],
    )


def rows_of(metrics: Path, *names: str) -> list[dict[str, Any]]:
    return study_rows(study_curves(names, metrics), metrics)


def test_row_holds_the_last_and_the_kept_epoch(tmp_path: Path) -> None:
    write_small(tmp_path)
    (row,) = rows_of(tmp_path, "small")
    assert row == {
        "experiment": "small",
        "not_run": False,
        **TEST,
        "epochs": 2,
        "kept_epochs": [1, 2],
        "last_train_loss": 0.05,
        "last_train_accuracy": 0.95,
        "last_train_macro_f1": 0.85,
        "last_validation_loss": 0.25,
        "last_validation_accuracy": 0.75,
        "last_validation_macro_f1": 0.65,
        "last_loss_gap": -0.2,
        "last_accuracy_gap": 0.2,
        "last_macro_f1_gap": 0.2,
        **{f"kept_{key}": value for key, value in TRAIN.items() if key != "epochs"},
        "kept_loss_gap": -0.2,
        "kept_accuracy_gap": 0.05,
        "kept_macro_f1_gap": 0.06,
    }


def test_rows_keep_the_order_and_the_keys_where_nothing_has_run(tmp_path: Path) -> None:
    write_small(tmp_path)
    absent, small = rows_of(tmp_path, "absent", "small")
    assert absent.keys() == small.keys()
    assert {key: value for key, value in absent.items() if value is not None} == {
        "experiment": "absent",
        "not_run": True,
    }


def test_without_a_validation_part_there_is_no_gap(tmp_path: Path) -> None:
    whole = {key: None for key in TRAIN if key.startswith("validation")}
    write_small(tmp_path, ("train",), **whole, epochs=[2, 2])
    (row,) = rows_of(tmp_path, "small")
    assert (row["last_train_accuracy"], row["last_validation_accuracy"], row["last_accuracy_gap"]) == (0.95, None, None)
    assert "| `small` | 2 | last: 2 | 0.0500 | — | 0.9500 | — | 0.8500 | — | — | 0.8000 ± 0.0100 |" in study_table(
        [row]
    )


@pytest.mark.parametrize("missing", ["train.json", "curves.csv", "test.json"])
def test_an_experiment_without_all_its_results_has_not_run(tmp_path: Path, missing: str) -> None:
    write_small(tmp_path)
    (tmp_path / "small" / missing).unlink()
    assert study_curves(["small"], tmp_path) == {"small": None}


def test_missing_metrics_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is missing: run `dvc repro compare@nowhere`"):
        study_curves(["small"], tmp_path / "nowhere")


def test_table_is_as_expected(tmp_path: Path) -> None:
    write_small(tmp_path)
    assert (
        study_table(rows_of(tmp_path, "small", "absent"))
        == """\
| experiment | seeds | epoch | train loss | validation loss | train accuracy | validation accuracy | train macro-F1 \
| validation macro-F1 | accuracy gap | test accuracy | test macro-F1 |
|---|---|---|---|---|---|---|---|---|---|---|---|
| `small` | 2 | last: 2 | 0.0500 | 0.2500 | 0.9500 | 0.7500 | 0.8500 | 0.6500 | +0.2000 |  |  |
|  |  | kept: 1, 2 | 0.4000 | 0.6000 | 0.8500 | 0.8000 | 0.8400 | 0.7800 | +0.0500 | 0.8000 ± 0.0100 \
| 0.7500 ± 0.0200 |
| `absent` |  | not run |  |  |  |  |  |  |  |  |  |

- The gap is the accuracy on the training part less that on the validation part.
- The test part is scored with the weights of the kept epoch: the best one on the validation part.
- Means over the seeds; ± is their standard deviation.
"""
    )


def test_table_of_experiments_that_keep_their_last_epoch_has_a_line_each(tmp_path: Path) -> None:
    write_small(tmp_path, epochs=[2, 2])
    table = study_table(rows_of(tmp_path, "small"))
    assert "| `small` | 2 | last: 2 |" in table
    assert "| +0.2000 | 0.8000 ± 0.0100 | 0.7500 ± 0.0200 |" in table
    assert "kept" not in table


@pytest.mark.parametrize(
    ("stage", "name", "tag"), [("compare@digits", "comparison", "compare"), ("study@width", "study width", "study")]
)
def test_run_of_a_view_is_found_again_by_its_stage(store: Any, stage: str, name: str, tag: str) -> None:
    inputs = StageInputs(stage, "1234", "data", "code")
    run = view_run(store, inputs)
    assert view_run(store, inputs).id == run.id
    found = store.call("get_run", run.id)
    assert (found.info.run_name, found.data.tags["reprolab.stage"]) == (name, tag)


def test_stage_writes_the_files_and_a_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    Path("params.yaml").write_text(PARAMS)
    Path("dvc.yaml").write_text(PIPELINE)
    write_small(Path("metrics/digits"))
    run_stage(monkeypatch, "width", "metrics/digits", "metrics/studies/width")

    folder = Path("metrics/studies")
    assert {path.name for path in folder.iterdir()} == {"width.json", "width.md", "width.png"}
    rows = read_json(folder / "width.json")
    assert [(row["experiment"], row["not_run"], row["accuracy"]) for row in rows] == [
        ("small", False, 0.8),
        ("absent", True, None),
    ]
    assert (folder / "width.md").read_text() == f"## How wide\n\n{study_table(rows)}"
    assert (folder / "width.png").read_bytes().startswith(b"\x89PNG")

    client = mlflow.MlflowClient(tracking_uri())
    experiment = client.get_experiment_by_name("digits")
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'study width'")
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {
        "small.accuracy": 0.8, "small.last_accuracy_gap": 0.2, "small.last_loss_gap": -0.2,
    }  # fmt: skip
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"width.json", "width.md", "width.png"}


def test_stage_refuses_an_unknown_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    run_stage(monkeypatch, "widht", "metrics/digits", "out", code=1)
    assert capsys.readouterr().err == (
        "error: params.yaml: unknown study 'widht' (did you mean 'width'?); allowed: width\n"
    )


def run_stage(monkeypatch: pytest.MonkeyPatch, *arguments: str, code: int = 0) -> None:
    monkeypatch.setattr("sys.argv", ["study.py", *arguments])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(REPOSITORY / "stages" / "study.py"), run_name="__main__")
    assert exit_.value.code == code
