"""Eight trainings at once, each in a checkout of its own, write to one store: nothing is missing, nothing is twice."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reprolab.tracking.store import Store
from tests.forked import all_at_once
from tests.servers import running, unused_port
from tests.tracked import contents

WRITERS, EPOCHS = 8, 2
WRITE = f"""
import os, time
from dataclasses import asdict
from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError
from tests.tracked import Recorded, epoch_of

os.mkdir(f"checkout-{{number}}")
os.chdir(f"checkout-{{number}}")
recorded = Recorded(seeds=(0, 1), name=f"w{{number}}")
publisher = Publisher(Store())

def publish():
    global publisher
    try:
        publisher.publish(recorded.run())
    except StoreError:
        if publisher.store.database:
            raise
        time.sleep(1)  # a server may refuse once under load: try again, as the live view does
        publisher = Publisher(Store())
        publisher.publish(recorded.run())

with recorded.stage.running():
    for seed in (0, 1):
        journal = recorded.of_seed(seed)
        with journal.running(**recorded.stage.seed_facts(seed)):
            for epoch in range(1, {EPOCHS} + 1):
                journal.add("epoch", **asdict(epoch_of(seed, epoch)))
                publish()
publish()
"""


def write_and_compare(folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    all_at_once(WRITE, WRITERS, folder)
    found = contents(Store())
    seeds = ("", "/seed 0", "/seed 1")
    assert set(found) == {f"digits/w{number}{seed}" for number in range(WRITERS) for seed in seeds}
    for run in found.values():
        assert run["status"] == "FINISHED"
        for metric in ("train/loss", "validation/accuracy", "wall/images_per_second"):
            assert [step for step, _, _ in run["metrics"][metric]] == list(range(1, EPOCHS + 1))


def test_on_one_database(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_and_compare(tmp_path, monkeypatch, f"sqlite:///{root}/mlflow.db")


def test_on_a_server(root: Path, initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.db").write_bytes(initialised.read_bytes())
    with running(tmp_path) as server:
        write_and_compare(tmp_path, monkeypatch, server.uri)


@contextmanager
def postgresql() -> Iterator[str]:
    """Debian's server in a temporary folder; its address comes back. It refuses to run as root."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    port = unused_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if as_user:
            subprocess.run(["chown", "-R", "postgres:postgres", str(folder)], check=True)
        quietly(*as_user, str(binaries / "initdb"), "-D", f"{folder}/data", "-U", "mlflow", "--auth=trust")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        control = (*as_user, str(binaries / "pg_ctl"), "-D", f"{folder}/data")
        quietly(*control, "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
        finally:
            quietly(*control, "-m", "immediate", "stop")


def quietly(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.mark.postgres
def test_on_a_server_with_postgresql(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgresql() as backend, running(tmp_path, backend) as server:
        write_and_compare(tmp_path, monkeypatch, server.uri)
