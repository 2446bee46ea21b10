"""Runs in a real MLflow store, and work that goes on without one."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.checkpoint import Epoch
from reprolab.classifier import ModelInfo, build_classifier, predict
from reprolab.config import Experiment
from reprolab.data.splits import SplitInfo
from reprolab.inputs import StageInputs
from reprolab.tracking import ERROR, INPUTS, PARENT, PROCESS, SEED, STAGE, Run, Store, TrainingRun, flatten, origin

SPLIT = SplitInfo("noise", "stand-in", ["a", "b", "c"], [1, 8, 8], [0.5], [0.25], {}, {})
STAGE_INPUTS = StageInputs(stage="train@noise-mlp", hash="h" * 64, data="d" * 64, code="c" * 64)


def use(folder: Path, patch: pytest.MonkeyPatch, uri: str = "") -> Path:
    """Make `folder/root` the repository's root, and an empty folder beside it the working directory."""
    for name in ("root", "elsewhere"):
        (folder / name).mkdir(exist_ok=True)
    patch.setenv("DVC_ROOT", str(folder / "root"))
    patch.chdir(folder / "elsewhere")
    # An empty one is none. MLflow sets it for its children; the patch takes it away again.
    patch.setenv("MLFLOW_TRACKING_URI", uri)
    return folder / "root"


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a root with MLflow's files, which take seconds to set up."""
    folder = tmp_path_factory.mktemp("initialised")
    with pytest.MonkeyPatch.context() as patch:
        use(folder, patch)
        Store("first")
    return folder


@pytest.fixture
def root(initialised: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use(initialised, monkeypatch)


@pytest.fixture
def store(root: Path, request: pytest.FixtureRequest) -> Store:
    """A data set of its own for each test."""
    return Store(request.node.name)


def model_info(seeds: tuple[int, ...] = (0,), inputs: str = "inputs") -> ModelInfo:
    settings = {
        "dataset": "noise",
        "model": {"name": "mlp", "hidden": [4]},
        "input": {"size": 16},
        "training": {"epochs": 2, "batch_size": 4, "optimizer": {"name": "adam", "lr": 0.003}, "seeds": seeds},
    }
    return ModelInfo.of("noise-mlp", Experiment.model_validate(settings), SPLIT, inputs)


def stored(run: Run) -> Any:
    """The run as MLflow has it."""
    return run.store.call("get_run", run.id)


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
        (ValueError("too large"), "FAILED", "too large"),
        (ValueError(), "FAILED", "ValueError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (SystemExit(143), "KILLED", "143"),
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


def test_model_scores_other_numbers_of_images_as_its_classifier_does(store: Store) -> None:
    import mlflow

    classifier = build_classifier(Experiment.model_validate(model_info().experiment, strict=False), SPLIT).eval()
    images = torch.randint(256, (7, 1, 8, 8), dtype=torch.uint8)
    run = store.run("a run", {INPUTS: "1"})
    with run.in_progress():
        run.log_model(classifier, images[:2].numpy())
    (output,) = stored(run).outputs.model_outputs
    loaded = mlflow.pytorch.load_model(f"models:/{output.model_id}")
    for count in (1, 2, 7):
        torch.testing.assert_close(loaded(images[:count]), predict(classifier, images[:count]), check_stride=False)
    assert stored(run).info.status == "FINISHED"


def use_everything(store: Store, folder: Path) -> None:
    (folder / "file").touch()
    store.end_dead_runs()
    run = TrainingRun(store, model_info(seeds=(0, 1)))
    with run.in_progress(), run.of_seed(1).in_progress() as seed_run:
        seed_run.log_epoch(epoch(1))
        seed_run.log_scores({"accuracy": 0.9})
        seed_run.log_files(folder / "file")
        seed_run.log_model(torch.nn.Identity(), None)


@pytest.mark.parametrize("kind", ["directory", "garbage", "server"])
def test_work_goes_on_without_a_store_that_cannot_be_reached(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    down = f"http://127.0.0.1:{unused_port()}"
    database = use(tmp_path, monkeypatch, down if kind == "server" else "") / "mlflow.db"
    if kind == "directory":
        database.mkdir()
    elif kind == "garbage":
        database.write_text("this is no database. " * 100)
    started = time.monotonic()
    use_everything(Store("noise"), tmp_path)
    assert time.monotonic() - started < (20 if kind == "server" else 2)
    told = capfd.readouterr().err
    uri = down if kind == "server" else f"sqlite:///{database}"
    assert told.startswith(f"warning: MLflow is off for this stage: {uri}: ")
    assert told.count("\n") == 1


def test_after_the_first_failure_nothing_is_tried_or_told_again(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = store.run("a run", {INPUTS: "1"})
    store.call("delete_run", "no such run")
    assert capfd.readouterr().err.count("warning: MLflow is off for this stage: ") == 1
    use_everything(store, tmp_path)
    assert capfd.readouterr().err == ""
    assert not store.run("another run", {INPUTS: "2"}).id
    assert store.call("get_run", run.id) is None


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def server(initialised: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a running `mlflow server` with a store of its own."""
    shutil.copy(initialised / "root" / "mlflow.db", tmp_path / "server.db")
    port = unused_port()
    options = f"--host 127.0.0.1 --port {port} --workers 1 --backend-store-uri sqlite:///{tmp_path}/server.db".split()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *options, "--artifacts-destination", str(tmp_path / "artifacts")],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("the server does not answer")


def test_runs_and_their_files_arrive_at_a_server(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = use(tmp_path, monkeypatch, uri=server)
    (tmp_path / "scores.csv").write_text("scores")
    run = TrainingRun(Store("noise"), model_info())
    more_than_fit_into_a_request = range(1, 301)
    with run.in_progress():
        for number in more_than_fit_into_a_request:
            run.log_epoch(epoch(number))
        run.log_files(tmp_path / "scores.csv")
    assert stored(run).info.status == "FINISHED"
    for metric in ("train_loss", "images_per_second"):
        assert [step for step, _ in history(run, metric)] == list(more_than_fit_into_a_request)
    assert TrainingRun(Store("noise"), model_info()).id == run.id
    (artifact,) = (tmp_path / "artifacts").rglob("scores.csv")
    assert artifact.read_text() == "scores"
    assert list(root.iterdir()) == []
    assert "warning: MLflow is off" not in capfd.readouterr().err
