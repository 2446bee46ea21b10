"""The store of MLflow: opened so that nothing in it can be left broken, and nothing in it can hold anybody up.

SQLite at the repository's root unless `MLFLOW_TRACKING_URI` says otherwise.
"""

import fcntl
import hashlib
import logging
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from reprolab.core.errors import InputError
from reprolab.core.layout import MLFLOW_DATABASE, VIEWS, repository_root
from reprolab.core.secrets import cleaned

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE, ARTIFACTS = "sqlite:///", "mlartifacts"
BUSY_SECONDS = 5
ANSWER_SECONDS = 10.0
KIND, NOTE = "mlflow.experimentKind", "mlflow.note.content"
# Columns of MLflow's tables that say where files lie, by an absolute address.
LOCATIONS = {"experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location"}


class StoreError(InputError):
    """MLflow cannot be written, or does not answer."""


class NoAnswer(Exception):
    """Raised in the midst of a call. (The clients would take a `TimeoutError` for one of theirs.)"""


class Store:
    """A connection to MLflow. Raises `StoreError` where there is none to be had."""

    def __init__(self) -> None:
        self.uri = tracking_uri()
        self.database = _database(self.uri)
        self._experiments: dict[str, str] = {}
        _settle_mlflow()  # its import is no wait for an answer
        with reported(self.uri, seconds=0 if self.database else ANSWER_SECONDS):
            if self.database:
                with self.alone():
                    self.client = _open_database(self.database)
            else:
                self.client = _open_server(self.uri)

    def call(self, method: str, *arguments: Any, seconds: float = ANSWER_SECONDS, **options: Any) -> Any:
        """Call a method of `MlflowClient`. Raises `StoreError` where it fails or does not answer in time."""
        with reported(self.uri, seconds=0 if self.database else seconds):
            return getattr(self.client, method)(*arguments, **options)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the store, which one process of this machine at a time may write."""
        with store_lock(self.uri).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def find_experiment(self, name: str) -> str | None:
        """The number of the MLflow experiment, where there is one."""
        found = self.call("get_experiment_by_name", name)
        return str(found.experiment_id) if found else None

    def experiment(self, name: str, description: str) -> str:
        """The number of the MLflow experiment, which is made where there is none. To be called `alone`."""
        if name not in self._experiments:
            tags = {KIND: "custom_model_development", NOTE: description}
            found = self.call("get_experiment_by_name", name) or self._create_experiment(name, tags)
            if found.lifecycle_stage == "deleted":
                self.call("restore_experiment", found.experiment_id)
            for tag, value in tags.items():
                if tag not in found.tags:
                    self.call("set_experiment_tag", found.experiment_id, tag, value)
            self._experiments[name] = str(found.experiment_id)
        return self._experiments[name]

    def _create_experiment(self, name: str, tags: dict[str, str]) -> Any:
        root = (self.database.parent / ARTIFACTS).as_uri() if self.database else None
        try:
            self.call("create_experiment", name, artifact_location=root, tags=tags)
        except StoreError:
            # Another machine may have made it in the meantime.
            if found := self.call("get_experiment_by_name", name):
                return found
            raise
        return self.call("get_experiment_by_name", name)

    def experiments(self) -> list[str]:
        """The numbers of all."""
        return [str(found.experiment_id) for found in self.call("search_experiments", max_results=1000)]

    def search(self, experiments: list[str], conditions: str = "") -> list[Any]:
        """All runs that the conditions hold for, the oldest first."""
        runs: list[Any] = []
        token = None
        while experiments:
            order = ["attributes.start_time ASC"]
            page = self.call("search_runs", experiments, conditions, order_by=order, page_token=token)
            runs += page
            token = page.token
            if not token:
                break
        return runs


@contextmanager
def reported(uri: str, seconds: float = ANSWER_SECONDS) -> Iterator[None]:
    """Turn whatever a store, a network or a server raises, or no answer within `seconds`, into a `StoreError`.

    0 stands for no limit. In the main thread alone can a call that does not return be cut off.
    """

    def cut_off(signum: int, frame: FrameType | None) -> None:
        raise NoAnswer(f"no answer within {seconds:g} s")

    former = signal.signal(signal.SIGALRM, cut_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"MLflow at {cleaned(uri)}: {_first_words(error)}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def tracking_uri() -> str:
    """The one address, for every process and from every folder, a temporary copy of the repository included."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{MLFLOW_DATABASE}"
    database = uri.removeprefix(SQLITE)
    return f"{SQLITE}{repository_root() / database}" if uri.startswith(SQLITE) and database else uri


def store_lock(uri: str) -> Path:
    """Beside a database, so that every checkout that writes it takes the same."""
    if database := _database(uri):
        return database.with_name(f"{database.name}.lock")
    folder = repository_root() / VIEWS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{store_name(uri)}-store.lock"


def store_name(uri: str) -> str:
    """A short one, for files, by which no secret can be guessed."""
    return hashlib.sha256(cleaned(uri).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _settle_mlflow() -> None:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", f"{2 * ANSWER_SECONDS:g}")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow.tracking  # noqa: F401

    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # MLflow logs a traceback before it raises


def _open_server(uri: str) -> "MlflowClient":
    import requests
    from mlflow import MlflowClient

    if uri.startswith("http"):
        answer = requests.get(f"{uri.rstrip('/')}/version", timeout=2 * ANSWER_SECONDS)  # `reported` is first
        version = answer.text.strip()
        if answer.ok and not re.fullmatch(r"\d+\.\d+\S*", version[:40]):
            raise StoreError(f"{cleaned(uri)} answers, but not as an MLflow server does: set MLFLOW_TRACKING_URI")
        if answer.ok and int(version.partition(".")[0]) < 3:
            raise StoreError(f"{cleaned(uri)} is a server of MLflow {version}; 3 or later is needed")
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def _open_database(path: Path) -> "MlflowClient":
    """Set up in a file aside, which then takes its place, so that a kill leaves all of a database or none."""
    from mlflow import MlflowClient

    for partial in path.parent.glob(f".{path.name}.*.partial*"):
        partial.unlink()
    if path.exists() and _holds_nothing(path):
        path.rename(path.with_name(f"{path.name}.broken-{time.time_ns()}"))
    if not path.exists():
        _set_up(path)
    _follow_files(path)
    # Else MLflow takes ./mlruns, by a path in which it cannot quote an apostrophe.
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (path.parent / ARTIFACTS).as_uri()
    client = MlflowClient(tracking_uri=f"{SQLITE}{path}")
    client.search_experiments(max_results=1)
    return client


def _set_up(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    store = SqlAlchemyStore(f"{SQLITE}{partial}", (path.parent / ARTIFACTS).as_uri())
    store.delete_experiment("0")  # `Default`, which nothing here writes to
    store.engine.dispose()
    partial.rename(path)


def _holds_nothing(path: Path) -> bool:
    """Whether the set-up of a database was cut off, which leaves some of the tables and no run.

    Raises `sqlite3.Error` for a file that is no database or is locked, where MLflow would try again for minutes.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "runs" in tables and connection.execute("SELECT 1 FROM runs").fetchone():
            return False
        # The default experiment is made last.
        ready = "experiments" in tables and connection.execute("SELECT 1 FROM experiments").fetchone()
        return not ready


def _follow_files(path: Path) -> None:
    """Where the checkout was moved or copied, let the database say where its files are now."""
    here = (path.parent / ARTIFACTS).as_uri()
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
        for table, column in LOCATIONS.items():
            elsewhere = f"{column} LIKE 'file://%/{ARTIFACTS}%' AND {column} NOT LIKE ? || '%'"
            moved = f"? || substr({column}, instr({column}, '/{ARTIFACTS}') + {len(ARTIFACTS) + 1})"
            connection.execute(f"UPDATE {table} SET {column} = {moved} WHERE {elsewhere}", (here, here))


def _first_words(error: Exception) -> str:
    if "Connection refused" in str(error):  # of all that a client says around it
        return "Connection refused"
    # Cleaned first, since half a password would not be known for one.
    line = (cleaned(str(error)).splitlines() or [""])[0] or type(error).__name__
    return re.sub(r"<[^>]*>", "", line).strip()[:300]
