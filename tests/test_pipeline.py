"""The real DVC runs the real stages on digits, in a private copy of the repository."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline

LEARNING_RATE = "experiments.digits-mlp.training.optimizer.lr"
MLP_STAGES = {"train@digits-mlp", "evaluate@digits-mlp", "compare@digits"}
NOTHING: set[str] = set()
COMPARISON = {"compare@digits"}
ALL_STAGES = MLP_STAGES | {"download@digits", "split@digits", "train@digits-lenet5", "evaluate@digits-lenet5"}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The pipeline after `dvc repro compare@digits`; every test leaves it as it was."""
    pipeline = Pipeline(tmp_path_factory.mktemp("repository"), view=True)
    assert pipeline.repro("compare@digits") == ALL_STAGES
    pipeline.commit("results")
    yield pipeline
    assert pipeline.repro("compare@digits") == set()


def test_nothing_runs_twice(pipeline: Pipeline) -> None:
    assert pipeline.repro("compare@digits") == set()


def test_an_edit_runs_its_own_stages_and_taking_it_back_runs_none(pipeline: Pipeline) -> None:
    before = (pipeline.root / "metrics/comparison/digits.json").read_text()
    former = pipeline.set(LEARNING_RATE, 0.001)
    assert pipeline.repro("compare@digits") == MLP_STAGES
    assert (pipeline.root / "metrics/comparison/digits.json").read_text() != before
    pipeline.set(LEARNING_RATE, former)
    assert pipeline.repro("compare@digits") == set()
    assert (pipeline.root / "metrics/comparison/digits.json").read_text() == before


TRAININGS = {"train@digits-mlp", "train@digits-lenet5"}
EVALUATIONS = {"evaluate@digits-mlp", "evaluate@digits-lenet5"}


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("src/reprolab/tracking/publish.py", "SECONDS = 60.0", "SECONDS = 61.0", NOTHING),
        ("src/reprolab/cli/check.py", "no error found", "no error", NOTHING),
        ("src/reprolab/architectures/alexnet32.py", "dropout: Share = 0.5", "dropout: Share = 0.4", NOTHING),
        ("src/reprolab/core/config.py", "crop_padding: Margin = 0", "crop_padding: Margin = 1",
         ALL_STAGES - {"download@digits"}),
        # Which optimizer or schedule an experiment uses is not in its dependencies: each could be.
        ("src/reprolab/training/optimizers/adam.py", "= 0.0", "= 0.1", TRAININGS),
        ("src/reprolab/training/schedules/one_cycle.py", "= 0.3", "= 0.2", TRAININGS),
        ("src/reprolab/training/record.py", "best_epochs: list[int]", "best_epochs: list[float]",
         TRAININGS | COMPARISON),
        ("src/reprolab/models/classifier.py", "BATCH = 500", "BATCH = 400", TRAININGS),
        ("src/reprolab/architectures/lenet5.py", '= "tanh"', '= "relu"', {"train@digits-lenet5"}),
        ("src/reprolab/sources/digits.py", "255 / 16", "254 / 16", {"download@digits", "split@digits"}),
        ("src/reprolab/data/fetch.py", "SECONDS = 30", "SECONDS = 31",
         {"download@digits", "split@digits"} | TRAININGS),
        ("src/reprolab/evaluation/figures.py", "WINDOW = 60", "WINDOW = 50", EVALUATIONS | COMPARISON),
        ("src/reprolab/reports/comparison.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9", COMPARISON),
        ("data/baselines.csv", "accuracy,,0.97,", "accuracy,,0.96,", COMPARISON),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" in value else "",
)  # fmt: skip
def test_a_changed_default_makes_stale_what_uses_it_or_could(
    pipeline: Pipeline, path: str, old: str, new: str, stale: set[str]
) -> None:
    with pipeline.edited(path, old, new):
        status = json.loads(pipeline.run("dvc", "status", "--json", *sorted(ALL_STAGES)).stdout)
    assert set(status) == stale


def test_what_is_no_python_file_makes_nothing_stale(pipeline: Pipeline) -> None:
    files = [pipeline.root / "src/reprolab/training" / name for name in (".loop.py.swp", "__pycache__/loop.pyc")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    status = json.loads(pipeline.run("dvc", "status", "--json", *sorted(ALL_STAGES)).stdout)
    for file in files:
        file.unlink()
    assert status == {}


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
    runs = {run["name"]: run for run in read_runs(pipeline)}
    assert {"digits-mlp", "digits-lenet5", "digits"} <= set(runs)
    assert {run["status"] for run in runs.values()} == {"FINISHED"}
    assert runs["digits-mlp"]["metrics"]["test/accuracy"] == pytest.approx(test["accuracy"])
    assert {"train/loss", "validation/accuracy", "test/macro_f1"} <= set(runs["digits-mlp"]["metrics"])
    assert {"curves.png", "confusion.png", "experiment.yaml"} <= set(runs["digits-mlp"]["artifacts"])
    assert runs["digits-mlp"]["models"] == 1
    assert runs["digits-mlp"]["steps"] == [1, 2]
    assert runs["digits-mlp"]["tags"]["reprolab.git_dirty"] == "False"
    assert not (pipeline.root / "mlruns").exists()


def read_runs(pipeline: Pipeline) -> list[dict[str, Any]]:
    """What MLflow holds in the end, read in a process of its own, since MLflow keeps its store for a process's life."""
    pipeline.run("reprolab", "sync")
    code = """
import json, mlflow
client = mlflow.MlflowClient("sqlite:///mlflow.db")
experiments = client.search_experiments()
runs = client.search_runs([experiment.experiment_id for experiment in experiments])
print(json.dumps([{
    "name": run.info.run_name,
    "status": run.info.status,
    "metrics": run.data.metrics,
    "tags": run.data.tags,
    "steps": [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")],
    "artifacts": [file.path for file in client.list_artifacts(run.info.run_id)],
    "models": len(run.outputs.model_outputs) if run.outputs else 0,
} for run in runs]))
"""
    output = pipeline.run("python", "-c", code).stdout
    return list(json.loads(output.splitlines()[-1]))


def test_experiments_run_aside_and_are_tracked_at_the_root(pipeline: Pipeline) -> None:
    setting = "experiments.digits-mlp.training.epochs=1"
    params = (pipeline.root / "params.yaml").read_text()
    output = pipeline.run("dvc", "exp", "run", "--temp", "--name", "short", "-S", setting, "compare@digits").stdout
    assert set(re.findall(r"Running stage '(.+)'", output)) == MLP_STAGES
    assert (pipeline.root / "params.yaml").read_text() == params
    table = pipeline.run("dvc", "exp", "show", "--csv").stdout
    assert "short" in table
    tracked = [run for run in read_runs(pipeline) if run["tags"].get("reprolab.dvc_experiment") == "short"]
    assert {run["name"] for run in tracked} == {"digits-mlp (epochs=1)", "digits (short)"}
    pipeline.run("dvc", "exp", "remove", "short")


@pytest.mark.slow
def test_queued_experiments_run(pipeline: Pipeline) -> None:
    setting = "experiments.digits-mlp.training.batch_size=100"
    pipeline.run("dvc", "exp", "run", "--queue", "--name", "queued", "-S", setting, "train@digits-mlp")
    assert "queued" in pipeline.run("dvc", "queue", "status").stdout
    pipeline.run("dvc", "exp", "run", "--run-all")
    assert "Success" in pipeline.run("dvc", "queue", "status").stdout
    tracked = [run for run in read_runs(pipeline) if run["tags"].get("reprolab.dvc_experiment") == "queued"]
    assert [(run["name"], run["status"]) for run in tracked] == [("digits-mlp (batch_size=100)", "FINISHED")]
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


def test_an_ended_and_a_killed_training_go_on_to_the_same_weights_in_the_same_run(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    former = pipeline.set("experiments.digits-lenet5.training.epochs", 40)
    command = ["python", "stages/train.py", "digits-lenet5", "data/splits/digits", "models/random"]
    outputs = [str(tmp_path / "model"), str(tmp_path / "metrics")]
    status, _ = end_at("epoch 5:", signal.SIGTERM, [*command, *outputs], pipeline)
    assert status == 143
    assert not (tmp_path / "model").exists()
    assert statuses("digits-lenet5 (epochs=40)", pipeline) == ["KILLED"]

    # Nothing is written when it is killed, and the last checkpoint is that of the first time.
    status, killed = end_at("epoch 12:", signal.SIGKILL, [*command, *outputs], pipeline)
    assert status == -signal.SIGKILL
    assert 6 <= epochs_of(killed)[0] <= 9
    assert statuses("digits-lenet5 (epochs=40)", pipeline) == ["KILLED"]

    resumed = epochs_of(pipeline.run(*command, *outputs, PYTHONPATH="src").stdout)
    assert resumed == list(range(epochs_of(killed)[0], 41))
    assert statuses("digits-lenet5 (epochs=40)", pipeline) == ["FINISHED"]
    assert not list((pipeline.root / ".reprolab/trainings").glob("*/checkpoint"))

    # Anew, as a whole, without a store that can be written: neither the kill nor MLflow shapes the weights.
    others = [str(tmp_path / "other-model"), str(tmp_path / "other-metrics")]
    nowhere = "sqlite:////nowhere/mlflow.db"
    whole = pipeline.run(*command, *others, PYTHONPATH="src", MLFLOW_TRACKING_URI=nowhere, REPROLAB_FRESH="1")
    pipeline.set("experiments.digits-lenet5.training.epochs", former)
    assert f"warning: MLflow lacks this run for now: MLflow at {nowhere}: " in whole.stdout
    assert "epoch 1:" in whole.stdout
    weights = "seed-0.safetensors"
    assert (tmp_path / "model" / weights).read_bytes() == (tmp_path / "other-model" / weights).read_bytes()


def end_at(text: str, sent: signal.Signals, command: list[str], pipeline: Pipeline) -> tuple[int, str]:
    """Start a stage's command and send it a signal when it prints this text; its status and output come back."""
    environment, printed = pipeline.environment(PYTHONPATH="src"), ""
    with subprocess.Popen(command, cwd=pipeline.root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            printed += line
            if text in line:
                process.send_signal(sent)
                return process.wait(), printed + process.stdout.read()
    pytest.fail(f"'{text}' was not printed")


def epochs_of(printed: str) -> list[int]:
    return [int(number) for number in re.findall(r"epoch (\d+):", printed)]


def statuses(name: str, pipeline: Pipeline) -> list[str]:
    """How the runs of this name ended."""
    return [run["status"] for run in read_runs(pipeline) if run["name"] == name]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("train.py no-such data/splits/digits models/random {0} {0}", "unknown experiment 'no-such'"),
        ("train.py digits-mlp no/such/folder models/random {0} {0}", "no/such/folder/split.json is missing"),
        ("evaluate.py data/splits/digits no/such/model {0} {0}", "no/such/model/model.json is missing"),
        ("split.py digits no/such/raw {0}", "no/such/raw/digits.npz cannot be read"),
        ("compare.py digits no/such/metrics data/baselines.csv {0} --dataset digits", "no/such/metrics is missing"),
        ("compare.py digits metrics/digits no-such-file.csv {0} --dataset digits", "no-such-file.csv is missing"),
    ],
)
def test_a_missing_input_is_reported_without_a_traceback(
    pipeline: Pipeline, tmp_path: Path, command: str, expected: str
) -> None:
    script, *arguments = command.format(tmp_path / "output").split()
    found = pipeline.run("python", f"stages/{script}", *arguments, check=False, PYTHONPATH="src")
    assert found.returncode == 1
    assert expected in found.stdout
    assert "Traceback" not in found.stdout
    assert not list(tmp_path.iterdir())


def test_results_are_verified_by_training_again_beside_them(pipeline: Pipeline) -> None:
    trainings = sorted((pipeline.root / ".reprolab/trainings").iterdir())
    assert pipeline.run("reprolab", "verify", "digits-mlp").stdout.splitlines()[-1] == "digits-mlp: identical"
    assert sorted((pipeline.root / ".reprolab/trainings").iterdir()) == trainings
    metrics = pipeline.root / "metrics/digits/digits-mlp"
    curves, test = (metrics / "curves.csv").read_text(), (metrics / "test.json").read_text()
    (metrics / "curves.csv").write_text(curves.replace("0,1,train,", "0,1,train,1"))
    accuracy = json.loads(test)["accuracy"]
    found = pipeline.run("reprolab", "verify", "digits-mlp").stdout.splitlines()[-1]
    scores = f"test accuracy {accuracy:.4f}, expected {accuracy:.4f}"
    assert found == f"digits-mlp: other curves.csv; {scores}, within the spread of seeds and test images"
    (metrics / "test.json").write_text(test.replace(f'"accuracy": {accuracy}', '"accuracy": 0.1'))
    disagreeing = pipeline.run("reprolab", "verify", "digits-mlp", check=False)
    for path, text in ((metrics / "curves.csv", curves), (metrics / "test.json", test)):
        path.write_text(text)
    assert disagreeing.returncode == 1 and "error: not reproduced: digits-mlp" in disagreeing.stdout
    absent = pipeline.run("reprolab", "verify", "iris-net", check=False)
    assert absent.returncode == 1 and "iris-net has no results here to compare with" in absent.stdout


def test_an_unknown_device_is_refused_where_something_is_to_be_trained(pipeline: Pipeline, tmp_path: Path) -> None:
    former = pipeline.set(LEARNING_RATE, 0.123)
    outputs = [str(tmp_path / "model"), str(tmp_path / "metrics")]
    command = ["python", "stages/train.py", "digits-mlp", "data/splits/digits", "models/random", *outputs]
    found = pipeline.run(*command, check=False, PYTHONPATH="src", REPROLAB_DEVICE="cudax")
    pipeline.set(LEARNING_RATE, former)
    assert found.returncode == 1
    assert "REPROLAB_DEVICE: found 'cudax'; this machine has: " in found.stdout and "Traceback" not in found.stdout
    assert not list(tmp_path.iterdir())


def test_results_are_compared_with_those_of_the_last_commit(pipeline: Pipeline) -> None:
    def verified() -> str:
        return pipeline.run("reprolab", "verify", "--committed", "digits-mlp", check=False).stdout

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


def test_a_comment_in_the_loop_trains_and_evaluates_nothing(pipeline: Pipeline) -> None:
    old = "    return state.result(device)"
    with pipeline.edited("src/reprolab/training/loop.py", old, f"    # a comment\n{old}"):
        output = pipeline.run("dvc", "repro", "compare@digits").stdout
    assert set(re.findall(r"Running stage '(.+)'", output)) == TRAININGS
    assert output.count("seed 0: known, trained 20") == 2 and "epoch 1:" not in output
    assert pipeline.repro("compare@digits") == NOTHING


def test_what_changes_the_meaning_of_a_training_s_code_is_evaluated_anew(pipeline: Pipeline) -> None:
    # The experiment names its pooling, so that the scores stay; that of its code is what the results are made from.
    with pipeline.edited("src/reprolab/architectures/lenet5.py", '] = "average"', '] = "max"'):
        output = pipeline.run("dvc", "repro", "compare@digits").stdout
        assert "digits-lenet5, seed 0, epoch 2:" in output
        expected = {"train@digits-lenet5", "evaluate@digits-lenet5", "compare@digits"}
        assert set(re.findall(r"Running stage '(.+)'", output)) == expected
    assert pipeline.repro("compare@digits") == NOTHING


def test_an_edited_comparison_is_made_anew(pipeline: Pipeline) -> None:
    former = pipeline.set("comparisons.digits.curves", True)
    assert pipeline.repro("compare@digits") == COMPARISON
    assert (pipeline.root / "metrics/comparison/digits/curves.png").exists()
    pipeline.set("comparisons.digits.curves", former)
    assert pipeline.repro("compare@digits") == set()
    assert not (pipeline.root / "metrics/comparison/digits/curves.png").exists()


def test_an_error_in_the_parameters_loses_nothing(pipeline: Pipeline) -> None:
    former = pipeline.set(LEARNING_RATE, -1)
    found = pipeline.run("dvc", "repro", "compare@digits", check=False)
    assert found.returncode != 0
    assert f"{LEARNING_RATE}: found -1; it should be greater than 0" in found.stdout
    assert "Traceback" not in found.stdout
    pipeline.set(LEARNING_RATE, former)
    assert pipeline.repro("compare@digits") == set()
    assert pipeline.run("git", "status", "--porcelain").stdout == ""
