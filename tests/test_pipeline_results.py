"""What a pipeline leaves is complete, and DVC, MLflow and `reprolab verify` show it."""

import json
import re
from pathlib import Path

import pytest

from tests.pipeline import COMPARISON, LEARNING_RATE, MLP_STAGES, Pipeline
from tests.tracked import in_mlflow


def test_results_and_runs_are_complete(pipeline: Pipeline) -> None:
    metrics = pipeline.root / "metrics/digits/digits-mlp"
    assert {path.name for path in metrics.iterdir() if path.suffix} == {
        "train.json", "curves.csv", "test.json", "classes.csv", "confusion.csv",
    }  # fmt: skip
    test = json.loads((metrics / "test.json").read_text())
    assert (test["images"], test["seeds"], test["parameters"], test["provenance"]) == (899, 1, 4810, "official")
    assert len((metrics / "curves.csv").read_text().splitlines()) == 1 + 2 * 2
    comparison = json.loads((pipeline.root / "metrics/comparison/digits.json").read_text())
    assert [row["experiment"] for row in comparison] == ["digits-mlp", "digits-lenet5"]
    assert comparison[0]["accuracy"] == test["accuracy"]
    assert comparison[0]["published_accuracy"] == 0.97
    runs = in_mlflow(pipeline)
    assert {"digits/digits-mlp", "digits/digits-lenet5"} < set(runs) and len(runs) == 3
    assert {run["status"] for run in runs.values()} == {"FINISHED"}
    mlp = runs["digits/digits-mlp"]
    assert mlp["metrics"]["test/accuracy"][0][1] == pytest.approx(test["accuracy"])
    assert {"train/loss", "validation/accuracy", "test/macro_f1"} <= set(mlp["metrics"])
    assert {"curves.png", "confusion.png", "experiment.yaml"} <= set(mlp["files"])
    assert len(mlp["models"]) == 1
    assert [step for step, _, _ in mlp["metrics"]["train/loss"]] == [1, 2]
    assert mlp["tags"]["reprolab.git_dirty"] == "False"
    assert not (pipeline.root / "mlruns").exists()


def tracked_as(experiment: str, pipeline: Pipeline) -> dict[str, str]:
    """How the runs of an experiment of DVC ended, by name."""
    pipeline.reprolab("sync")
    runs = in_mlflow(pipeline).items()
    return {name: run["status"] for name, run in runs if run["tags"].get("reprolab.dvc_experiment") == experiment}


def test_experiments_run_aside_and_are_tracked_at_the_root(pipeline: Pipeline) -> None:
    setting = "experiments.digits-mlp.training.epochs=1"
    params = (pipeline.root / "params.yaml").read_text()
    output = pipeline.run("dvc", "exp", "run", "--temp", "--name", "short", "-S", setting, "compare@digits").stdout
    assert set(re.findall(r"Running stage '(.+)'", output)) == MLP_STAGES | COMPARISON
    assert (pipeline.root / "params.yaml").read_text() == params
    table = pipeline.run("dvc", "exp", "show", "--csv").stdout
    assert "short" in table
    runs = tracked_as("short", pipeline)
    assert {name.split("/")[1] for name in runs} == {"digits-mlp (epochs=1)", "digits (short)"}
    pipeline.run("dvc", "exp", "remove", "short")


@pytest.mark.slow
def test_queued_experiments_run(pipeline: Pipeline) -> None:
    setting = "experiments.digits-mlp.training.batch_size=100"
    pipeline.run("dvc", "exp", "run", "--queue", "--name", "queued", "-S", setting, "train@digits-mlp")
    assert "queued" in pipeline.run("dvc", "queue", "status").stdout
    pipeline.run("dvc", "exp", "run", "--run-all")
    assert "Success" in pipeline.run("dvc", "queue", "status").stdout
    assert tracked_as("queued", pipeline) == {"digits/digits-mlp (batch_size=100)": "FINISHED"}
    pipeline.run("dvc", "exp", "remove", "--queue", "queued", check=False)


def test_dvc_shows_what_changed(pipeline: Pipeline) -> None:
    former = pipeline.set(LEARNING_RATE, 0.5)
    metrics = pipeline.root / "metrics/digits/digits-mlp/test.json"
    content = metrics.read_text()
    metrics.write_text(content.replace('"seeds": 1', '"seeds": 7'))
    params = pipeline.run("dvc", "params", "diff").stdout
    changed = pipeline.run("dvc", "metrics", "diff").stdout
    metrics.write_text(content)
    pipeline.set(LEARNING_RATE, former)
    assert re.search(rf"{re.escape(LEARNING_RATE)}\s+{former}\s+0.5", params)
    assert re.search(r"digits-mlp/test.json\s+seeds\s+1\s+7\s+6", changed)


def test_plots_show_curves_and_confusion(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run("dvc", "plots", "show", "--out", str(tmp_path), check=False)
    page = (tmp_path / "index.html").read_text()
    for experiment in ("digits-mlp", "digits-lenet5"):
        for plot in ("curves.csv", "confusion.csv", "classes.csv"):
            assert f"metrics/digits/{experiment}/{plot}" in page
    assert "share of the actual class" in page
    images = {path.name for path in (tmp_path / "static").iterdir()}
    assert {"workspace_figures_digits-mlp_curves.png", "workspace_metrics_comparison_digits_accuracy.png"} <= images


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("train no-such data/splits/digits models/random {0} {0}", "unknown experiment 'no-such'"),
        ("train digits-mlp no/such/folder models/random {0} {0}", "no/such/folder/split.json is missing"),
        ("evaluate data/splits/digits no/such/model {0} {0}", "no/such/model/model.json is missing"),
        ("split digits no/such/raw {0}", "no/such/raw/digits.npz cannot be read"),
        ("compare digits no/such/metrics data/baselines.csv {0} --dataset digits", "no/such/metrics is missing"),
        ("compare digits metrics/digits no-such-file.csv {0} --dataset digits", "no-such-file.csv is missing"),
    ],
)
def test_a_missing_input_is_reported_without_a_traceback(
    pipeline: Pipeline, tmp_path: Path, command: str, expected: str
) -> None:
    stage, *arguments = command.format(tmp_path / "output").split()
    found = pipeline.stage(stage, *arguments, check=False)
    assert found.returncode == 1
    assert expected in found.stdout
    assert "Traceback" not in found.stdout
    assert not list(tmp_path.iterdir())


def test_results_are_verified_by_training_again_beside_them(pipeline: Pipeline) -> None:
    trainings = sorted((pipeline.root / ".reprolab/trainings").iterdir())
    assert pipeline.reprolab("verify", "digits-mlp").stdout.splitlines()[-1] == "digits-mlp: identical"
    assert sorted((pipeline.root / ".reprolab/trainings").iterdir()) == trainings
    metrics = pipeline.root / "metrics/digits/digits-mlp"
    curves, test = (metrics / "curves.csv").read_text(), (metrics / "test.json").read_text()
    (metrics / "curves.csv").write_text(curves.replace("0,1,train,", "0,1,train,1"))
    accuracy = json.loads(test)["accuracy"]
    found = pipeline.reprolab("verify", "digits-mlp").stdout.splitlines()[-1]
    scores = f"test accuracy {accuracy:.4f}, expected {accuracy:.4f}"
    assert found == f"digits-mlp: other curves.csv; {scores}, within the spread of seeds and test images"
    (metrics / "test.json").write_text(test.replace(f'"accuracy": {accuracy}', '"accuracy": 0.1'))
    disagreeing = pipeline.reprolab("verify", "digits-mlp", check=False)
    for path, text in ((metrics / "curves.csv", curves), (metrics / "test.json", test)):
        path.write_text(text)
    assert disagreeing.returncode == 1 and "error: not reproduced: digits-mlp" in disagreeing.stdout
    absent = pipeline.reprolab("verify", "lenet5-relu", check=False)
    assert absent.returncode == 1 and "lenet5-relu has no results here to compare with" in absent.stdout


def test_an_unknown_device_is_refused_where_something_is_to_be_trained(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = pipeline.set(LEARNING_RATE, 0.123)
    monkeypatch.setenv("REPROLAB_DEVICE", "cudax")
    outputs = [str(tmp_path / "model"), str(tmp_path / "metrics")]
    found = pipeline.stage("train", "digits-mlp", "data/splits/digits", "models/random", *outputs, check=False)
    pipeline.set(LEARNING_RATE, former)
    assert found.returncode == 1
    assert "REPROLAB_DEVICE: found 'cudax'; this machine has: " in found.stdout and "Traceback" not in found.stdout
    assert not list(tmp_path.iterdir())


def test_results_are_compared_with_those_of_the_last_commit(pipeline: Pipeline) -> None:
    def verified() -> str:
        return pipeline.reprolab("verify", "--committed", "digits-mlp", check=False).stdout

    metrics = "metrics/digits/digits-mlp"
    accuracy = json.loads((pipeline.root / metrics / "test.json").read_text())["accuracy"]
    assert verified() == "digits-mlp: identical\n"
    with pipeline.edited(f"{metrics}/curves.csv", "0,1,train,", "0,1,train,1"):
        scores = f"test accuracy {accuracy:.4f}, expected {accuracy:.4f}"
        assert verified() == f"digits-mlp: other curves.csv; {scores}, within the spread of seeds and test images\n"
    with pipeline.edited(f"{metrics}/test.json", f'"accuracy": {accuracy}', '"accuracy": 0.1'):
        assert "other test.json; " in verified() and "error: not reproduced: digits-mlp" in verified()
    (identity,) = json.loads((pipeline.root / metrics / "train.json").read_text())["identities"]
    with pipeline.edited(f"{metrics}/train.json", identity, "0" * 64):
        assert verified().startswith("digits-mlp: not compared with the last commit, whose result is of other param")
    assert pipeline.run("git", "status", "--porcelain").stdout == ""
