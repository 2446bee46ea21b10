"""Whatever DVC and git bring into the workspace ends up in MLflow, complete and once."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline

MLP, LENET = "digits-mlp", "digits-lenet5"
READ = """
import json
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
names, found = {}, {}
experiments = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
runs = [run for number in experiments for run in client.search_runs([number])]
for run in sorted(runs, key=lambda run: "mlflow.parentRunId" in run.data.tags):
    number, tags = run.info.run_id, run.data.tags
    parent = names.get(tags.get("mlflow.parentRunId"), experiments[run.info.experiment_id])
    names[number] = f"{parent}/{run.info.run_name}"
    if parent == "comparison":  # each time that its experiments have changed
        names[number] += "/" + tags["reprolab.identity"]
    assert names[number] not in found, names[number]
    found[names[number]] = {
        "status": run.info.status,
        "parameters": run.data.params,
        "curves": {
            name: [(point.step, point.value) for point in client.get_metric_history(number, name)]
            for name in run.data.metrics
        },
        "files": sorted(file.path for file in client.list_artifacts(number)),
        "data": [data.dataset.name for data in run.inputs.dataset_inputs],
        "models": [client.get_logged_model(model.model_id).name for model in run.outputs.model_outputs],
        "commit": tags.get("mlflow.source.git.commit"),
        "times": [run.info.start_time, run.info.end_time],
    }
print(json.dumps(found, sort_keys=True))
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Results of two seeds and of one, committed and pushed to a folder."""
    pipeline = Pipeline(tmp_path_factory.mktemp("origin"), view=True)
    pipeline.set(f"experiments.{MLP}.training.seeds", [0, 1])
    remote = tmp_path_factory.mktemp("remote")
    pipeline.run("dvc", "remote", "add", "--default", "folder", str(remote))
    pipeline.commit("settings")
    pipeline.run("dvc", "repro", "compare@digits")
    pipeline.commit("results")
    pipeline.run("dvc", "push", "-q")
    yield pipeline


def reprolab(pipeline: Pipeline, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return pipeline.run("python", "-m", "reprolab", *arguments, check=check, PYTHONPATH="src")


def in_mlflow(pipeline: Pipeline) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pipeline.run("python", "-c", READ).stdout.splitlines()[-1])
    return found


def cloned(pipeline: Pipeline, folder: Path) -> Pipeline:
    clone = object.__new__(Pipeline)
    clone.root, clone.view = folder, True
    subprocess.run(["git", "clone", "-q", str(pipeline.root), str(folder)], check=True)
    return clone


def test_an_emptied_store_is_the_same_after_a_sync(pipeline: Pipeline) -> None:
    reprolab(pipeline, "sync")
    before = in_mlflow(pipeline)
    assert {"digits/digits-mlp", "digits/digits-mlp/seed 0", "digits/digits-lenet5"} < set(before)
    shutil.rmtree(pipeline.root / "mlartifacts")
    for database in pipeline.root.glob("mlflow.db*"):
        database.unlink()
    checked = reprolab(pipeline, "sync", "--check", check=False)
    assert checked.returncode == 1 and "error: MLflow lacks 3 of 3 runs" in checked.stdout
    reprolab(pipeline, "sync")
    after = in_mlflow(pipeline)
    assert set(after) == set(before)
    for name, run in after.items():
        differing = {key: (value, before[name][key]) for key, value in run.items() if value != before[name][key]}
        assert differing == {}, name
    assert reprolab(pipeline, "sync").stdout == "MLflow has all 3 runs\n"
    assert reprolab(pipeline, "sync", "--check").stdout == "MLflow has all 3 runs\n"


def test_a_clone_with_pulled_results_has_all_that_files_tell(pipeline: Pipeline, tmp_path: Path) -> None:
    reprolab(pipeline, "sync")
    clone = cloned(pipeline, tmp_path / "clone")
    clone.run("dvc", "pull", "-q", check=False)  # of experiments that never ran there is nothing to pull
    reprolab(clone, "sync")
    here, there = in_mlflow(pipeline), in_mlflow(clone)
    assert set(here) == set(there)
    only_journals_know = re.compile("wall/|learning_rate")
    for name, run in there.items():
        made = here[name]
        seed = "/seed" in name
        known = {
            metric: points
            for metric, points in made["curves"].items()
            if not only_journals_know.search(metric) and not (seed and metric.startswith("test/"))
        }
        assert run["curves"] == known
        for what in ("status", "parameters", "files", "data", "models"):
            assert run[what] == made[what], (name, what)
        if not name.startswith("comparison"):
            assert run["commit"] == clone.run("git", "rev-parse", "HEAD").stdout.strip()
    assert not (clone.root / ".reprolab/trainings").exists()
    assert reprolab(clone, "sync").stdout == "MLflow has all 3 runs\n"


def test_a_result_that_dvc_restored_and_one_that_is_gone_are_both_there(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{MLP}.training.optimizer.lr", 0.02)
    pipeline.run("dvc", "repro", "compare@digits")
    pipeline.set(f"experiments.{MLP}.training.optimizer.lr", former)
    shutil.rmtree(pipeline.root / ".reprolab")
    assert pipeline.repro("compare@digits") == set()
    reprolab(pipeline, "sync")
    found = in_mlflow(pipeline)
    assert {name for name in found if "/seed" not in name} >= {"digits/digits-mlp", "digits/digits-mlp (lr=0.02)"}
    assert {run["status"] for run in found.values()} == {"FINISHED"}


def test_a_file_leads_to_its_run_and_a_run_to_the_command_that_brings_it_back(pipeline: Pipeline) -> None:
    name = "experiment-of-mine"
    setting = f"experiments.{MLP}.training.batch_size=32"
    pipeline.run("dvc", "exp", "run", "--temp", "-n", name, "-S", setting, f"evaluate@{MLP}")
    listed = reprolab(pipeline, "runs").stdout
    line = next(line for line in listed.splitlines() if "batch_size=32" in line)
    told = reprolab(pipeline, "runs", line.split()[0]).stdout
    assert f"back by   dvc exp apply {name}" in told
    of = reprolab(pipeline, "runs", "--of", f"figures/{MLP}/loss.png").stdout
    assert of.startswith(f"{MLP}: FINISHED") and "in the workspace" in of and "of the experiment digits" in of
    none = reprolab(pipeline, "runs", "--of", "README.md", check=False)
    assert none.returncode == 1 and "error: README.md is no result" in none.stdout
    pipeline.run("dvc", "exp", "remove", name)


def test_the_hooks_stand_beside_those_of_dvc_and_sync_after_a_checkout(pipeline: Pipeline, tmp_path: Path) -> None:
    clone = cloned(pipeline, tmp_path / "clone")
    clone.run("dvc", "install")
    for _ in range(2):
        reprolab(clone, "sync", "--install")
    hook = (clone.root / ".git/hooks/post-checkout").read_text()
    assert (hook.count("reprolab sync"), "dvc git-hook post-checkout" in hook) == (1, True)
    clone.run("dvc", "fetch", "-q")
    clone.run("git", "checkout", "-q", "-b", "other")
    assert (clone.root / f"models/{MLP}/model.json").exists()
    assert "digits/digits-mlp" in in_mlflow(clone)
