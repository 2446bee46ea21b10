"""Runs in a real MLflow store, and work that goes on without one."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reprolab.core.config import Experiment
from reprolab.core.files import read_yaml
from reprolab.models.classifier import predict
from reprolab.tracking.lineage import IDENTITY, STAGE, Lineage, comparison_lineage, training_lineage
from reprolab.tracking.runs import SEED, TrainingRun, comparison_run, training_run
from reprolab.tracking.store import ERROR, PARENT, PROCESS, Store
from reprolab.training.identity import hash_of
from reprolab.training.record import Epoch
from tests.factories import make_classifier, make_epoch, make_experiment, make_model_info, make_scores, stored, use
from tests.result_factories import make_train_record
from tests.tracked import ORIGINS, history, named_run, started, training_info


def test_runs_and_their_files_lie_at_the_root_and_nothing_in_the_working_directory(store: Store, root: Path) -> None:
    file = root.parent / "scores.csv"
    file.write_text("scores")
    run = named_run(store, "1")
    run.log_files(file)
    (artifact,) = (root / "mlartifacts").glob(f"{run.id}/**/scores.csv")
    assert artifact.read_text() == "scores"
    assert {path.name.removesuffix(".lock") for path in root.glob("[!.]*")} == {"mlflow.db", "mlartifacts"}
    assert list(Path.cwd().iterdir()) == []


def test_mlflow_tracking_uri_wins(initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path(shutil.copy(initialised / "root" / "mlflow.db", tmp_path / "other.db"))
    before = other.read_bytes()
    root = use(tmp_path, monkeypatch, uri=f"sqlite:///{other}")
    run = named_run(Store("noise"), "1")
    assert stored(run).info.run_name == "a run"
    assert other.read_bytes() != before
    assert list(root.glob("[!.]*")) == []


def test_a_run_around_this_process_is_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = named_run(Store("notebook"), "1")
    for name, value in {"RUN_ID": other.id, "EXPERIMENT_NAME": "notebook", "EXPERIMENT_ID": "9"}.items():
        monkeypatch.setenv(f"MLFLOW_{name}", value)
    run = named_run(Store("noise"), "1")
    with run.in_progress():
        run.log_scores({"a": 1.0})
        run.log_model(torch.nn.Linear(3, 2), torch.ones(2, 3).numpy())
    found = stored(run)
    assert (found.info.status, found.data.metrics, len(found.outputs.model_outputs)) == ("FINISHED", {"a": 1.0}, 1)
    assert found.info.experiment_id != stored(other).info.experiment_id
    assert (stored(other).data.metrics, stored(other).outputs.model_outputs) == ({}, [])


def test_each_data_set_is_one_mlflow_experiment(root: Path) -> None:
    runs = [named_run(Store(dataset), number) for dataset, number in [("a", "1"), ("b", "2"), ("a", "3")]]
    first, second, third = (stored(run).info.experiment_id for run in runs)
    assert first == third != second
    assert runs[0].store.call("get_experiment", second).name == "b"


def test_same_inputs_find_the_same_run_and_others_another(store: Store) -> None:
    runs = [started(store, (0, 1), identity) for identity in ("old", "new", "old")]
    assert runs[0].id == runs[2].id != runs[1].id
    assert started(Store("another"), (0, 1), "old").id != runs[0].id


def test_an_experiment_with_the_same_training_under_another_name_is_another_run(store: Store) -> None:
    run = TrainingRun(store, training_info(), {0: "a0"})
    other = TrainingRun(store, training_info().model_copy(update={"name": "other"}), {0: "a0"})
    assert run.id != other.id
    assert stored(run).data.tags[IDENTITY] == stored(other).data.tags[IDENTITY]


def test_several_seeds_are_children_of_the_run(store: Store) -> None:
    run = started(store, (3, 4))
    children = [run.of_seed(seed) for seed in (3, 4)]
    assert [stored(child).info.run_name for child in children] == ["seed 3", "seed 4"]
    assert [stored(child).data.tags[PARENT] for child in children] == [run.id, run.id]
    assert [stored(child).data.tags[SEED] for child in children] == ["3", "4"]
    assert [run.of_seed(seed).id for seed in (3, 4)] == [child.id for child in children]
    assert started(store, (3, 4)).id == run.id


def test_single_seed_is_the_run_itself(store: Store) -> None:
    run = started(store, (3,))
    assert run.of_seed(3) is run


def test_epochs_are_steps_of_metrics(store: Store) -> None:
    run = named_run(store, "1")
    with run.in_progress():
        for number in (1, 2, 3):
            validation = make_scores(accuracy=number / 10)
            run.log_epoch(make_epoch(number, make_scores(loss=1 / number), validation))
    assert history(run, "train_loss") == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    assert history(run, "validation_accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert stored(run).data.metrics == {
        "train_loss": 1 / 3,
        "train_accuracy": 0.75,
        "train_macro_f1": 0.7,
        "validation_loss": 0.5,
        "validation_accuracy": 0.3,
        "validation_macro_f1": 0.7,
        "learning_rate": 0.1,
        "epoch_seconds": 2.0,
        "images_per_second": 30.0,
    }


def test_what_is_not_known_of_an_epoch_is_not_logged(store: Store) -> None:
    run = named_run(store, "1")
    with run.in_progress():
        run.log_epoch(Epoch(1, make_scores(), None))
    assert stored(run).data.metrics == {"train_loss": 0.5, "train_accuracy": 0.75, "train_macro_f1": 0.7}


def test_epochs_that_a_run_lacks_are_logged_once(store: Store) -> None:
    run = named_run(store, "1")
    epochs = [make_epoch(number, make_scores(loss=1 / number)) for number in (1, 2, 3)]
    run.log_epoch(epochs[1])
    for _ in range(2):
        run.log_missing(epochs)
        run.log_scores({})
    assert sorted(history(run, "train_loss")) == [(1, 1), (2, 1 / 2), (3, 1 / 3)]


def test_a_comparison_is_identified_by_what_it_wrote(tmp_path: Path) -> None:
    metrics, rows = tmp_path / "digits", tmp_path / "width.json"
    metrics.mkdir()
    (metrics / "test.json").write_text("{}")
    rows.write_text("[1]")
    first = comparison_lineage("width", metrics, rows)
    assert comparison_lineage("width", metrics, rows) == first
    (metrics / "test.json").write_text("{ }")
    second = comparison_lineage("width", metrics, rows)
    assert (second.identity, second.data != first.data) == (first.identity, True)
    rows.write_text("[2]")
    assert comparison_lineage("width", metrics, rows).identity != first.identity


def test_only_numbers_are_scores(store: Store) -> None:
    run = named_run(store, "1")
    run.log_scores({"accuracy": 0.9, "seeds": 3, "device": "cpu", "difference": None}, prefix="test_")
    assert stored(run).data.metrics == {"test_accuracy": 0.9, "test_seeds": 3.0}


def test_parameters_have_dotted_keys(store: Store) -> None:
    params = stored(started(store, (3, 4))).data.params
    assert params["training.optimizer.lr"] == "0.003"
    assert params["training.seeds"] == "[3, 4]"
    assert params["model.hidden"] == "[8]"
    assert params["dataset"] == "digits"


def test_the_experiment_with_its_defaults_is_an_artifact_ready_to_paste(store: Store, root: Path) -> None:
    info = training_info(seeds=(3,))
    run = TrainingRun(store, info, {3: "a3"})
    (artifact,) = root.glob(f"mlartifacts/{run.id}/**/experiment.yaml")
    assert Experiment.model_validate(read_yaml(artifact)[info.name]) == info.experiment


def test_tags_say_what_a_run_is_from(root: Path) -> None:
    with training_run(training_info(), ORIGINS) as run:
        run.log_record(make_train_record(device="cpu, cuda", threads="1, 16"))
    tags = stored(run).data.tags
    expected = {
        IDENTITY: training_lineage("small", ORIGINS).identity,
        "reprolab.experiment": "small",
        STAGE: "train",
        PROCESS: str(os.getpid()),
        "reprolab.machine": platform.node(),
        "reprolab.data": ORIGINS[0].data,
        "reprolab.code": hash_of(ORIGINS[0].modules),
        "reprolab.provenance": "stand-in",
        "reprolab.device": "cpu, cuda",
        "reprolab.precision": "float32",
        "reprolab.threads": "1, 16",
        "mlflow.source.name": "train@small",
    }
    assert expected.items() <= tags.items()
    assert torch.__version__.startswith(tags["reprolab.torch"])
    assert not {"reprolab.dvc_experiment", "mlflow.source.git.commit", ERROR} & tags.keys()


def test_run_of_a_comparison_is_found_again(root: Path) -> None:
    lineage = Lineage("compare@width", "1234", "data", "code")
    ids = []
    for _ in range(2):
        with comparison_run("width", "digits", lineage) as run:
            ids.append(run.id)
    found = stored(run)
    assert ids[0] == ids[1]
    assert (found.info.run_name, found.data.tags[STAGE]) == ("comparison width", "compare")
    assert (found.info.status, found.data.tags["mlflow.source.name"]) == ("FINISHED", "compare@width")


def test_lineage_names_the_commit_and_whether_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    identity = ("-c", "user.name=n", "-c", "user.email=e@localhost")
    for arguments in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "--message", "first")):
        subprocess.run(["git", *arguments], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    tags = training_lineage("small", ORIGINS).tags()
    assert (tags["mlflow.source.git.commit"], tags["reprolab.git_dirty"]) == (commit, "False")
    (tmp_path / "new").touch()
    assert training_lineage("small", ORIGINS).tags()["reprolab.git_dirty"] == "True"


def test_lineage_names_the_experiment_of_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-name")
    assert training_lineage("small", ORIGINS).tags()["reprolab.dvc_experiment"] == "sunny-name"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
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
    store: Store, error: BaseException | None, status: str, reason: str | None
) -> None:
    run = named_run(store, "1")
    caught: BaseException | None = None
    try:
        with run.in_progress():
            assert stored(run).info.status == "RUNNING"
            run.log_epoch(make_epoch(1))
            run.log_epoch(make_epoch(2))
            if error:
                raise error
    except (ValueError, KeyboardInterrupt, SystemExit) as raised:
        caught = raised
    assert caught is error
    assert (stored(run).info.status, stored(run).data.tags.get(ERROR)) == (status, reason)
    assert len(history(run, "train_loss")) == 2


SLEEPER = """
import time
from reprolab.tracking.lineage import IDENTITY
from reprolab.tracking.runs import Run
from reprolab.tracking.store import Store
with Run(Store("sleep"), "a run", {IDENTITY: "dead"}).in_progress():
    print("running", flush=True)
    time.sleep(600)
"""


def test_run_of_a_dead_process_is_ended_and_that_of_a_living_one_is_not(root: Path) -> None:
    store = Store("sleep")
    sleeper = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True)
    try:
        assert sleeper.stdout and sleeper.stdout.readline() == "running\n"
        run = named_run(store, "dead")
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

    classifier = make_classifier(make_model_info(make_experiment(input={"size": 16}))).eval()
    images = torch.randint(256, (7, 1, 8, 8), dtype=torch.uint8)
    run = named_run(store, "1")
    with run.in_progress():
        run.log_model(classifier, images[:2].numpy())
    (output,) = stored(run).outputs.model_outputs
    (program,) = root.glob(f"mlartifacts/models/{output.model_id}/**/*.pt2")
    for loaded in (mlflow.pytorch.load_model(f"models:/{output.model_id}"), torch.export.load(program).module()):
        for count in (1, 2, 7):
            torch.testing.assert_close(loaded(images[:count]), predict(classifier, images[:count]), check_stride=False)
    assert stored(run).info.status == "FINISHED"
