"""MLflow shows a training while it runs, and whatever it does costs the stage a moment at its end."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError
from reprolab.tracking.view import end_dead_runs
from tests.factories import REPOSITORY, use
from tests.servers import failing, running, views
from tests.tracked import Recorded, contents, work

PARENT = "digits/small"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[Path]:
    """A root whose view is on."""
    monkeypatch.delenv("REPROLAB_VIEW")
    yield root
    for view in views(root):
        view.kill()


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


def nothing() -> None:
    pass


def test_each_epoch_is_seen_before_the_next_one_and_the_run_is_complete_in_the_end(shown: Path) -> None:
    numbers = count()

    def is_seen() -> None:
        number = next(numbers)
        until(lambda: logged(shown / "mlflow.db") == number, 30, f"epoch {number} is not seen")

    work(5, is_seen)
    until(lambda: contents(Store())[PARENT]["status"] == "FINISHED", 10, "the run has not ended")
    assert [step for step, _, _ in contents(Store())[PARENT]["metrics"]["train/loss"]] == [1, 2, 3, 4, 5]
    until(lambda: not views(shown), 25, "the view is still there")


@pytest.fixture
def broken(kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of a store that fails."""
    database = tmp_path / "broken.db"
    if kind == "directory":
        database.mkdir()
    elif kind == "garbage":
        database.write_text("this is no database. " * 100)
    with nullcontext(f"sqlite:///{database}") if kind in ("directory", "garbage") else failing(kind) as uri:
        yield uri


@pytest.mark.parametrize("kind", ["dead", "silent", "slow", "nonsense", "old", "directory", "garbage"])
def test_a_store_that_fails_holds_no_stage_up_and_costs_one_line(
    shown: Path, broken: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", broken)
    work(3, partial(time.sleep, 0.2))
    output, error = capfd.readouterr()
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


def test_no_secret_of_the_store_reaches_a_file_or_a_message(
    shown: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = "postgresql://al1ce:w0nder@127.0.0.1:1/runs?password=t0kenofmine"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    work(1, nothing)
    recorded = Recorded(name="other")
    recorded.train(error=ValueError(f"refused by {uri}"))
    written = "".join(path.read_text() for path in (shown / ".reprolab").rglob("*") if path.is_file())
    assert "refused by postgresql://" in written
    printed = "".join(capfd.readouterr())
    assert not [secret for secret in ("al1ce", "w0nder", "t0kenofmine") if secret in written + printed]
    until(lambda: not views(shown), 25, "the view of a store that fails is still there")


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.torture), signal.SIGKILL])
def test_a_server_that_goes_and_comes_back_has_every_epoch_once(
    how: signal.Signals, shown: Path, tmp_path: Path, initialised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "server.db"
    database.write_bytes(initialised.read_bytes())
    numbers = count(1)
    with running(tmp_path) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)

        def wait() -> None:
            number = next(numbers)
            if number == 4:
                until(lambda: logged(database) >= 2, 20, "nothing is logged")
                server.stop(how)
            elif number > 4:
                time.sleep(0.5)

        work(8, wait)
        assert logged(database) < 8
        server.start()
        Publisher(Store()).publish(Recorded().run())
        found = contents(Store())
        assert list(found) == [PARENT]
        assert found[PARENT]["status"] == "FINISHED"
        for metric in ("train/loss", "validation/accuracy", "wall/images_per_second"):
            assert [step for step, _, _ in found[PARENT]["metrics"][metric]] == list(range(1, 9))


STAGE = (
    "import time; from functools import partial; from tests.tracked import work; work(100, partial(time.sleep, 0.5))"
)


def test_a_killed_stage_is_shown_as_killed(shown: Path) -> None:
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    process = subprocess.Popen([sys.executable, "-c", STAGE], env=os.environ | {"PYTHONPATH": path})
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
