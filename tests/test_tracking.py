"""Runs in a real MLflow store, and work that goes on without one."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reprolab.checkpoint import Epoch
from reprolab.classifier import ModelInfo, build_classifier, predict
from reprolab.config import Experiment, flatten
from reprolab.data.splits import SplitInfo
from reprolab.inputs import StageInputs
from reprolab.tracking import ERROR, INPUTS, PARENT, PROCESS, SEED, STAGE, Run, Store, TrainingRun, origin
from tests.conftest import stored, use

SPLIT = SplitInfo("noise", "stand-in", ["a", "b", "c"], [1, 8, 8], [0.5], [0.25], {}, {})
STAGE_INPUTS = StageInputs(stage="train@noise-mlp", hash="h" * 64, data="d" * 64, code="c" * 64)


def model_info(seeds: tuple[int, ...] = (0,), inputs: str = "inputs") -> ModelInfo:
    settings = {
        "dataset": "noise",
        "model": {"name": "mlp", "hidden": [4]},
        "init_from": "random",
        "input": {"size": 16},
        "training": {"epochs": 2, "batch_size": 4, "optimizer": {"name": "adam", "lr": 0.003}, "seeds": seeds},
    }
    return ModelInfo.of("noise-mlp", Experiment.model_validate(settings), SPLIT, inputs)


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    return [(entry.step, entry.value) for entry in run.store.call("get_metric_history", run.id, metric)]


def epoch(number: int, validation: dict[str, float] | None = None) -> Epoch:
    return Epoch(number, {"loss": 1 / number}, validation, 0.1, seconds=2.0, images_per_second=30.0)


def test_runs_and_their_files_lie_at_the_root_and_nothing_in_the_working_directory(store: Store, root: Path) -> None:
    file = root.parent / "scores.csv"
    file.write_text("scores")
    run = store.run("a run", {INPUTS: "1"})
    run.log_files(file)
    (artifact,) = (root / "mlartifacts").glob(f"{run.id}/**/scores.csv")
    assert artifact.read_text() == "scores"
    assert {path.name.removesuffix(".lock") for path in root.iterdir()} == {"mlflow.db", "mlartifacts"}
    assert list((root.parent / "elsewhere").iterdir()) == []


def test_mlflow_tracking_uri_wins(initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path(shutil.copy(initialised / "root" / "mlflow.db", tmp_path / "other.db"))
    before = other.read_bytes()
    root = use(tmp_path, monkeypatch, uri=f"sqlite:///{other}")
    run = Store("noise").run("a run", {INPUTS: "1"})
    assert stored(run).info.run_name == "a run"
    assert other.read_bytes() != before
    assert list(root.iterdir()) == []


def test_each_data_set_is_one_mlflow_experiment(root: Path) -> None:
    runs = [Store(dataset).run("a run", {INPUTS: number}) for dataset, number in [("a", "1"), ("b", "2"), ("a", "3")]]
    first, second, third = (stored(run).info.experiment_id for run in runs)
    assert first == third != second
    assert runs[0].store.call("get_experiment", second).name == "b"


def test_same_inputs_find_the_same_run_and_others_another(store: Store) -> None:
    runs = [TrainingRun(store, model_info((0, 1), inputs)) for inputs in ("old", "new", "old")]
    assert runs[0].id == runs[2].id != runs[1].id
    assert TrainingRun(Store("another"), model_info((0, 1), "old")).id != runs[0].id


def test_several_seeds_are_children_of_the_run(store: Store) -> None:
    run = TrainingRun(store, model_info(seeds=(3, 4)))
    children = [run.of_seed(seed) for seed in (3, 4)]
    assert [stored(child).info.run_name for child in children] == ["seed 3", "seed 4"]
    assert [stored(child).data.tags[PARENT] for child in children] == [run.id, run.id]
    assert [stored(child).data.tags[SEED] for child in children] == ["3", "4"]
    assert [run.of_seed(seed).id for seed in (3, 4)] == [child.id for child in children]
    assert TrainingRun(store, model_info(seeds=(3, 4))).id == run.id


def test_single_seed_is_the_run_itself(store: Store) -> None:
    run = TrainingRun(store, model_info(seeds=(3,)))
    assert run.of_seed(3) is run


def test_epochs_are_steps_of_metrics(store: Store) -> None:
    run = store.run("a run", {INPUTS: "1"})
    with run.in_progress():
        for number in (1, 2, 3):
            run.log_epoch(epoch(number, {"accuracy": number / 10}))
    assert history(run, "train_loss") == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    assert history(run, "validation_accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert stored(run).data.metrics == {
        "train_loss": 1 / 3,
        "validation_accuracy": 0.3,
        "learning_rate": 0.1,
        "epoch_seconds": 2.0,
        "images_per_second": 30.0,
    }


def test_only_numbers_are_scores(store: Store) -> None:
    run = store.run("a run", {INPUTS: "1"})
    run.log_scores({"accuracy": 0.9, "seeds": 3, "device": "cpu", "difference": None}, prefix="test_")
    assert stored(run).data.metrics == {"test_accuracy": 0.9, "test_seeds": 3.0}


def test_parameters_have_dotted_keys(store: Store) -> None:
    params = stored(TrainingRun(store, model_info(seeds=(3, 4)))).data.params
    assert params["training.optimizer.lr"] == "0.003"
    assert params["training.seeds"] == "[3, 4]"
    assert params["model.hidden"] == "[4]"
    assert params["dataset"] == "noise"
    assert flatten({"a": {"b": {"c": 1}, "d": 2}, "e": {}}) == {"a.b.c": 1, "a.d": 2}


def test_tags_say_what_a_run_is_from(store: Store) -> None:
    run = TrainingRun(store, model_info(inputs=STAGE_INPUTS.hash))
    with run.in_progress():
        run.set_tags(origin(STAGE_INPUTS))
    tags = stored(run).data.tags
    expected = {
        INPUTS: STAGE_INPUTS.hash,
        STAGE: "train",
        PROCESS: str(os.getpid()),
        "reprolab.machine": platform.node(),
        "reprolab.data": STAGE_INPUTS.data,
        "reprolab.code": STAGE_INPUTS.code,
        "reprolab.provenance": "stand-in",
        "mlflow.source.name": "train@noise-mlp",
    }
    assert expected.items() <= tags.items()
    assert torch.__version__.startswith(tags["reprolab.torch"])
    assert not {"reprolab.dvc_experiment", "mlflow.source.git.commit", ERROR} & tags.keys()


def test_origin_names_the_commit_and_whether_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    identity = ("-c", "user.name=n", "-c", "user.email=e@localhost")
    for arguments in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "--message", "first")):
        subprocess.run(["git", *arguments], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    tags = origin(STAGE_INPUTS)
    assert (tags["mlflow.source.git.commit"], tags["reprolab.git_dirty"]) == (commit, "False")
    (tmp_path / "new").touch()
    assert origin(STAGE_INPUTS)["reprolab.git_dirty"] == "True"


def test_origin_names_the_experiment_of_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-name")
    assert origin(STAGE_INPUTS)["reprolab.dvc_experiment"] == "sunny-name"


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (None, "FINISHED", None),
        (ValueError("too large"), "FAILED", "ValueError: too large"),
        (ValueError(), "FAILED", "ValueError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (SystemExit(143), "KILLED", "SystemExit: 143"),
    ],
    ids=["ends well", "raises", "raises without words", "Ctrl-C", "SIGTERM"],
)
def test_run_has_the_status_that_its_block_left(
    store: Store, error: BaseException | None, status: str, told: str | None
) -> None:
    run = store.run("a run", {INPUTS: "1"})
    caught: BaseException | None = None
    try:
        with run.in_progress():
            assert stored(run).info.status == "RUNNING"
            run.log_epoch(epoch(1))
            run.log_epoch(epoch(2))
            if error:
                raise error
    except (ValueError, KeyboardInterrupt, SystemExit) as raised:
        caught = raised
    assert caught is error
    assert (stored(run).info.status, stored(run).data.tags.get(ERROR)) == (status, told)
    assert len(history(run, "train_loss")) == 2


SLEEPER = """
import time
from reprolab.tracking import INPUTS, Store
with Store("sleep").run("a run", {INPUTS: "dead"}).in_progress():
    print("running", flush=True)
    time.sleep(600)
"""


def test_run_of_a_dead_process_is_ended_and_that_of_a_living_one_is_not(root: Path) -> None:
    store = Store("sleep")
    sleeper = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True)
    try:
        assert sleeper.stdout and sleeper.stdout.readline() == "running\n"
        run = store.run("a run", {INPUTS: "dead"})
        assert stored(run).data.tags[PROCESS] == str(sleeper.pid)
        store.end_dead_runs()
        assert stored(run).info.status == "RUNNING"
    finally:
        sleeper.kill()
        sleeper.wait()
    assert stored(run).info.status == "RUNNING"
    store.end_dead_runs()
    assert stored(run).info.status == "KILLED"


def test_model_scores_other_numbers_of_images_as_its_classifier_does(store: Store, root: Path) -> None:
    import mlflow

    classifier = build_classifier(Experiment.model_validate(model_info().experiment, strict=False), SPLIT).eval()
    images = torch.randint(256, (7, 1, 8, 8), dtype=torch.uint8)
    run = store.run("a run", {INPUTS: "1"})
    with run.in_progress():
        run.log_model(classifier, images[:2].numpy())
    (output,) = stored(run).outputs.model_outputs
    (program,) = root.glob(f"mlartifacts/models/{output.model_id}/**/*.pt2")
    for loaded in (mlflow.pytorch.load_model(f"models:/{output.model_id}"), torch.export.load(program).module()):
        for count in (1, 2, 7):
            torch.testing.assert_close(loaded(images[:count]), predict(classifier, images[:count]), check_stride=False)
    assert stored(run).info.status == "FINISHED"
