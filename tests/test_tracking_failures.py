"""What fails in MLflow costs a run its record, and nothing else."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from reprolab.tracking.lineage import training_lineage
from reprolab.tracking.store import ERROR, Store
from tests.factories import make_epoch, params_settings, stored, use
from tests.tracked import ORIGINS, history, named_run, started


def use_everything(store: Store, folder: Path) -> None:
    (folder / "file").touch()
    store.end_dead_runs()
    run = started(store, (0, 1))
    with run.in_progress(), run.of_seed(1).in_progress() as seed_run:
        seed_run.log_epoch(make_epoch(1))
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
    error = capfd.readouterr().err
    uri = down if kind == "server" else f"sqlite:///{database}"
    assert error.startswith(f"warning: MLflow is off for this stage: {uri}: ")
    assert error.count("\n") == 1


def test_after_the_first_failure_nothing_is_tried_or_reported_again(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = named_run(store, "1")
    store.call("delete_run", "no such run")
    assert capfd.readouterr().err.count("warning: MLflow is off for this stage: ") == 1
    use_everything(store, tmp_path)
    assert capfd.readouterr().err == ""
    assert not named_run(store, "2").id
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
    run = started(Store("noise"))
    more_than_fit_into_a_request = range(1, 301)
    with run.in_progress():
        for number in more_than_fit_into_a_request:
            run.log_epoch(make_epoch(number))
        run.log_files(tmp_path / "scores.csv")
    assert stored(run).info.status == "FINISHED"
    for metric in ("train_loss", "images_per_second"):
        assert [step for step, _ in history(run, metric)] == list(more_than_fit_into_a_request)
    assert started(Store("noise")).id == run.id
    (artifact,) = (tmp_path / "artifacts").rglob("scores.csv")
    assert artifact.read_text() == "scores"
    assert list(root.glob("[!.]*")) == []
    assert "warning: MLflow is off" not in capfd.readouterr().err


ADDRESSES = [
    "http://al1ce:w0nder@127.0.0.1:9",
    "https://w0nder-t0ken@127.0.0.1:9/x",
    "http://127.0.0.1:9/?token=w0nder-t0ken",
    "http://al1ce:w0n/der@l@nd@127.0.0.1:9",
    "http://al1ce:w0nder@[::1",
    "databricks://al1ce-pr0file",
    "postgresql://al1ce:w0n@der/l@nd@127.0.0.1:9/runs",
    "mysql+pymysql://al1ce:w0n%40der@127.0.0.1:9/runs?ssl_key=w0nder",
    "sqlite:////no/such/folder/al1ce.db?w0nder",
]


@pytest.mark.parametrize("uri", ADDRESSES)
def test_a_store_that_fails_tells_no_secret_in_one_short_line(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, monkeypatch, uri=uri)
    named_run(Store("noise"), "1")
    error = capfd.readouterr().err
    assert error.startswith("warning: MLflow is off for this stage: ") and error.count("\n") == 1 and len(error) < 450
    if not uri.startswith("sqlite"):  # whose path is no secret
        assert not [secret for secret in ("al1ce", "w0n", "l@nd") if secret in error], error


def test_what_a_run_leaves_holds_no_secret(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    address = server.replace("//", "//al1ce:w0nder%2Fland@")
    use(tmp_path, monkeypatch, uri=address)
    run = started(Store("noise"))
    with pytest.raises(ValueError), run.in_progress():
        run.log_epoch(make_epoch(1))
        run.log_model(torch.nn.Linear(3, 2), torch.ones(2, 3).numpy())
        raise ValueError(f"could not send to {address} of al1ce with w0nder/land")
    assert stored(run).data.tags[ERROR].startswith("ValueError: could not send to http://***@127.0.0.1:")
    printed = capfd.readouterr()
    assert "warning" not in printed.err
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "MLmodel" for path in left)
    for content in (printed.out.encode(), printed.err.encode(), *(path.read_bytes() for path in left)):
        assert not [secret for secret in (b"al1ce", b"w0nder", b"w0nder%2Fland") if secret in content]


def test_the_run_of_a_training_that_diverges_has_failed(
    initialised: Path,
    split_folder: Path,
    run_stage: Callable[..., object],
    any_learning_rate: None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    training = {"optimizer": {"name": "sgd", "lr": 1e30}, "schedule": {"name": "constant"}}
    settings = params_settings({"small": {"dataset": "noise", "training": training}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.copy(initialised / "root/mlflow.db", tmp_path)
    code = run_stage("train", "small", "data/splits/noise", "models/random", "models/small", "metrics/noise/small")
    assert code == 1
    assert "not finite in epoch 1, step " in capfd.readouterr().err
    (run,) = Store("noise").call("search_runs", [Store("noise").call("get_experiment_by_name", "noise").experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags[ERROR].startswith("DivergenceError: ")
    assert not (tmp_path / "models").exists()


OPEN_STORE = """
import sys
from reprolab.tracking.lineage import IDENTITY
from reprolab.tracking.runs import Run
from reprolab.tracking.store import Store
print(bool(Run(Store("noise"), "r", {IDENTITY: sys.argv[1]}).id))
"""


def test_processes_that_set_up_the_store_together_all_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path, monkeypatch)
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN_STORE, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    assert [process.communicate()[0] for process in processes] == ["True\n"] * 3


def test_error_of_an_earlier_try_is_gone_when_the_run_ends_well(store: Store) -> None:
    with pytest.raises(ValueError), named_run(store, "1").in_progress():
        raise ValueError("boom")
    run = named_run(store, "1")
    with run.in_progress():
        pass
    assert (stored(run).info.status, ERROR in stored(run).data.tags) == ("FINISHED", False)


def test_lineage_needs_neither_git_nor_a_name_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 54321)
    tags = training_lineage("small", ORIGINS).tags()
    assert tags["mlflow.user"] == "54321"
    assert "mlflow.source.git.commit" not in tags


class Branches(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum() > 0 else x - 1


def test_model_that_cannot_be_exported_costs_only_itself(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    run = named_run(store, "1")
    with run.in_progress():
        run.log_model(Branches(), torch.ones(2, 3).numpy())
        run.log_scores({"a": 1.0})
    assert "warning: the model is not in MLflow: " in capfd.readouterr().err
    assert (stored(run).info.status, stored(run).data.metrics) == ("FINISHED", {"a": 1.0})


@pytest.mark.slow
def test_locked_store_is_reported_in_one_line(
    initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = use(tmp_path, monkeypatch)
    shutil.copy(initialised / "root" / "mlflow.db", root)
    run = named_run(Store("noise"), "1")
    connection = sqlite3.connect(root / "mlflow.db")
    connection.execute("BEGIN IMMEDIATE")
    run.set_tags({"a": 1})
    connection.close()
    assert capfd.readouterr().err.count("\n") == 1


def test_artifacts_lie_beside_any_sqlite_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialised: Path
) -> None:
    other = Path(shutil.copy(initialised / "root" / "mlflow.db", tmp_path / "other.db"))
    use(tmp_path, monkeypatch, uri=f"sqlite:///{other}")
    (tmp_path / "f").touch()
    named_run(Store("one"), "1").log_files(tmp_path / "f")
    assert list(Path.cwd().iterdir()) == []
    assert list((tmp_path / "mlartifacts").rglob("f"))
