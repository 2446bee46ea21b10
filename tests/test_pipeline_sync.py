"""Whatever DVC and git bring into the workspace ends up in MLflow, complete and once."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline
from tests.tracked import in_mlflow

MLP = "digits-mlp"


@pytest.fixture(scope="module")
def pipeline(evaluated: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Results of two seeds and of one, which MLflow showed while they were made, committed and pushed to a folder."""
    pipeline = evaluated.copy(tmp_path_factory.mktemp("origin") / "copy", view=True)
    shutil.rmtree(pipeline.root / ".reprolab")
    pipeline.set(f"experiments.{MLP}.training.seeds", [0, 1])
    pipeline.run("dvc", "remote", "add", "--default", "folder", str(tmp_path_factory.mktemp("remote")))
    pipeline.commit("settings")
    pipeline.run("dvc", "repro", "compare@digits")
    pipeline.commit("results")
    pipeline.run("dvc", "push", "-q")
    pipeline.view = False
    yield pipeline


def test_an_emptied_store_is_the_same_after_a_sync(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.reprolab("sync")  # what was not shown in time
    before = in_mlflow(pipeline)
    assert {"digits/digits-mlp", "digits/digits-mlp/seed 0", "digits/digits-lenet5"} < set(before)
    emptied = pipeline.copy(tmp_path / "emptied")
    shutil.rmtree(emptied.root / "mlartifacts")
    for database in emptied.root.glob("mlflow.db*"):
        database.unlink()
    checked = emptied.reprolab("sync", "--check", check=False)
    assert checked.returncode == 1 and "error: MLflow lacks 3 of 3 runs" in checked.stdout
    emptied.reprolab("sync")
    after = in_mlflow(emptied)
    assert set(after) == set(before)
    for name, run in after.items():
        differing = {key: (value, before[name][key]) for key, value in run.items() if value != before[name][key]}
        assert differing == {}, name
    assert emptied.reprolab("sync").stdout == "MLflow has all 3 runs\n"
    assert emptied.reprolab("sync", "--check").stdout == "MLflow has all 3 runs\n"


def test_a_clone_whose_hooks_follow_git_has_all_that_files_tell(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.reprolab("sync")
    subprocess.run(["git", "clone", "-q", str(pipeline.root), str(tmp_path / "clone")], check=True)
    clone = Pipeline(tmp_path / "clone")
    clone.run("dvc", "install")
    for _ in range(2):
        clone.reprolab("sync", "--install")
    hook = (clone.root / ".git/hooks/post-checkout").read_text()
    assert (hook.count("reprolab sync"), "dvc git-hook post-checkout" in hook) == (1, True)
    clone.run("dvc", "fetch", "-q")
    clone.run("git", "checkout", "-q", "-b", "other")
    assert (clone.root / f"models/{MLP}/model.json").exists()
    here, there = in_mlflow(pipeline), in_mlflow(clone)
    assert set(here) == set(there)
    only_journals_know = re.compile("wall/|learning_rate")
    for name, run in there.items():
        made = here[name]
        seed = "/seed" in name
        known = {
            metric: [point[:2] for point in points]
            for metric, points in made["metrics"].items()
            if not only_journals_know.search(metric) and not (seed and metric.startswith("test/"))
        }
        assert {metric: [point[:2] for point in points] for metric, points in run["metrics"].items()} == known
        for what in ("status", "parameters", "files", "data", "models"):
            assert run[what] == made[what], (name, what)
        if not name.startswith("comparison"):
            assert run["tags"]["mlflow.source.git.commit"] == clone.run("git", "rev-parse", "HEAD").stdout.strip()
    assert not (clone.root / ".reprolab/trainings").exists()
    assert clone.reprolab("sync").stdout == "MLflow has all 3 runs\n"


def test_a_result_that_dvc_restored_and_one_that_is_gone_are_both_there(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{MLP}.training.optimizer.lr", 0.02)
    pipeline.run("dvc", "repro", "compare@digits")
    pipeline.reprolab("sync")
    pipeline.set(f"experiments.{MLP}.training.optimizer.lr", former)
    shutil.rmtree(pipeline.root / ".reprolab")
    assert pipeline.repro("compare@digits") == set()
    pipeline.reprolab("sync")
    found = in_mlflow(pipeline)
    assert {name for name in found if "/seed" not in name} >= {"digits/digits-mlp", "digits/digits-mlp (lr=0.02)"}
    assert {run["status"] for run in found.values()} == {"FINISHED"}


def test_a_file_leads_to_its_run_and_a_run_to_the_command_that_brings_it_back(pipeline: Pipeline) -> None:
    name = "experiment-of-mine"
    setting = f"experiments.{MLP}.training.batch_size=32"
    pipeline.run("dvc", "exp", "run", "--temp", "-n", name, "-S", setting, f"evaluate@{MLP}")
    listed = pipeline.reprolab("runs").stdout
    line = next(line for line in listed.splitlines() if "batch_size=32" in line)
    told = pipeline.reprolab("runs", line.split()[0]).stdout
    assert f"back by   dvc exp apply {name}" in told
    of = pipeline.reprolab("runs", "--of", f"figures/{MLP}/loss.png").stdout
    assert of.startswith(f"{MLP}: FINISHED") and "in the workspace" in of and "of the experiment digits" in of
    none = pipeline.reprolab("runs", "--of", "README.md", check=False)
    assert none.returncode == 1 and "error: README.md is no result" in none.stdout
    pipeline.run("dvc", "exp", "remove", name)
