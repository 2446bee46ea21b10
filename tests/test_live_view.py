"""MLflow shows a training while it runs, and whatever it does costs the stage a moment at its end."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError
from reprolab.tracking.view import end_dead_runs
from tests.factories import use
from tests.servers import failing, running, views
from tests.tracked import Recorded, contents

PARENT = "digits/small"
ROOT = Path(__file__).parent.parent
STAGE = """
import sys, time
from dataclasses import asdict
from tests.tracked import Recorded, epoch_of
from tests.result_factories import make_train_record
epochs, pause = int(sys.argv[1]), sys.argv[2]
recorded = Recorded()
with recorded.stage.running():
    with recorded.of_seed(0).running(**recorded.stage.seed_facts(0)):
        for number in range(1, epochs + 1):
            sys.stdin.readline() if pause == "asked" else time.sleep(float(pause))
            recorded.of_seed(0).add("epoch", **asdict(epoch_of(0, number)))
            print(number, flush=True)
    recorded.stage.add_record(make_train_record(best_epochs=[epochs], identities=["a"]))
"""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[Path]:
    """A root whose view is on, and gone when the test ends."""
    monkeypatch.delenv("REPROLAB_VIEW")
    yield root
    until(lambda: not views(root), 25, "the view is still there")


def stage(epochs: int, pause: float | str, **environment: str) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-c", STAGE, str(epochs), str(pause)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(otherwise)


def logged(database: Path) -> int:
    """How many epochs of the loss a database has."""
    with sqlite3.connect(database) as connection:
        return int(connection.execute("SELECT count(*) FROM metrics WHERE key = 'train/loss'").fetchone()[0])


def is_logged(database: Path, epoch: int) -> bool:
    return logged(database) == epoch


def test_each_epoch_is_seen_before_the_next_one_and_the_run_is_complete_in_the_end(shown: Path) -> None:
    process = stage(10, "asked")
    assert process.stdin and process.stdout
    for number in range(1, 11):
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == f"{number}\n"
        until(partial(is_logged, shown / "mlflow.db", number), 30, f"epoch {number} is not seen")
    assert process.wait() == 0
    until(lambda: contents(Store())[PARENT]["status"] == "FINISHED", 10, "the run has not ended")
    assert [step for step, _, _ in contents(Store())[PARENT]["metrics"]["train/loss"]] == list(range(1, 11))


@pytest.mark.parametrize("kind", ["dead", "silent", "slow", "nonsense", "old", "directory", "garbage"])
def test_a_store_that_fails_holds_no_stage_up_and_costs_one_line(shown: Path, kind: str, tmp_path: Path) -> None:
    if kind in ("directory", "garbage"):
        database = tmp_path / "broken.db"
        if kind == "directory":
            database.mkdir()
        else:
            database.write_text("this is no database. " * 100)
        output, error = stage(3, 0.2, MLFLOW_TRACKING_URI=f"sqlite:///{database}").communicate()
    else:
        with failing(kind) as uri:
            output, error = stage(3, 0.2, MLFLOW_TRACKING_URI=uri).communicate()
    assert output == "1\n2\n3\n"
    assert error.count("\n") <= 1
    assert not error or error.startswith("warning: MLflow lacks this run for now: ")
    assert "<" not in error


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dead", "Connection refused"),
        ("silent", "no answer within"),
        ("slow", "no answer within"),
        ("nonsense", "but not as an MLflow server does"),
        ("old", "is a server of MLflow 2.9.2; 3 or later is needed"),
    ],
)
def test_a_server_that_fails_is_named_with_the_reason(
    kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprolab.tracking.store.ANSWER_SECONDS", 2.0)
    with failing(kind) as uri:
        use(tmp_path, monkeypatch, uri=uri)
        with pytest.raises(StoreError) as raised:
            Store()
    assert words in str(raised.value)
    assert uri in str(raised.value)


def test_no_secret_of_the_store_reaches_a_file_or_a_message(shown: Path) -> None:
    uri = "postgresql://al1ce:w0nder@127.0.0.1:1/runs?password=t0kenofmine"
    _, error = stage(1, 0.0, MLFLOW_TRACKING_URI=uri).communicate()
    recorded = Recorded(name="other")
    recorded.train(error=ValueError(f"refused by {uri}"))
    written = "".join(path.read_text() for path in (shown / ".reprolab").rglob("*") if path.is_file())
    assert "refused by postgresql://" in written
    assert not [secret for secret in ("al1ce", "w0nder", "t0kenofmine") if secret in written + error]


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.torture), signal.SIGKILL])
def test_a_server_that_goes_and_comes_back_has_every_epoch_once(
    how: signal.Signals, shown: Path, tmp_path: Path, initialised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.db").write_bytes(initialised.read_bytes())
    with running(tmp_path) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        process = stage(12, 0.5)
        until(lambda: logged(tmp_path / "server.db") >= 2, 20, "nothing is logged")
        server.stop(how)
        assert process.wait() == 0
        assert logged(tmp_path / "server.db") < 12
        server.start()
        Publisher(Store()).publish(Recorded().run())
        found = contents(Store())
        assert list(found) == [PARENT]
        assert found[PARENT]["status"] == "FINISHED"
        for metric in ("train/loss", "validation/accuracy", "wall/images_per_second"):
            assert [step for step, _, _ in found[PARENT]["metrics"][metric]] == list(range(1, 13))


def test_a_killed_stage_is_shown_as_killed(shown: Path) -> None:
    process = stage(100, 0.5)
    until(lambda: logged(shown / "mlflow.db") >= 2, 20, "nothing is logged")
    process.kill()
    process.wait()
    until(lambda: contents(Store())[PARENT]["status"] == "KILLED", 10, "the run has not ended")


def test_runs_of_dead_processes_end_in_every_experiment_and_those_of_living_ones_do_not(store: Store) -> None:
    numbers = []
    for name, dead in (("small", True), ("other", False)):
        recorded = Recorded(name=name)
        with recorded.stage.running():
            run = recorded.run()
            run.experiment = f"data of {name}"
            if dead:
                run.tags["reprolab.process_born"] = "1.0"
            numbers.append(Publisher(store).publish(run))
    assert end_dead_runs(store) == 1
    assert [store.client.get_run(number).info.status for number in numbers] == ["KILLED", "RUNNING"]
