"""The store of MLflow, in which nothing that fails stops the work.

SQLite at the repository's root unless `MLFLOW_TRACKING_URI` says otherwise.
"""

import fcntl
import logging
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reprolab.core.errors import fitting
from reprolab.core.layout import MLFLOW_DATABASE, repository_root
from reprolab.core.secrets import cleaned

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
SQLITE = "sqlite:///"
BUSY_SECONDS = 5

PARENT, ERROR = "mlflow.parentRunId", "reprolab.error"
MACHINE, PROCESS = "reprolab.machine", "reprolab.process"


class Store:
    """The MLflow experiment of a data set. After the first failure, which is reported, its calls do nothing."""

    def __init__(self, dataset: str) -> None:
        self.available = True
        self._client: Any = None
        self._experiment_id = ""
        self.attempt(lambda: self._connect(dataset))

    def attempt(self, action: Callable[[], T]) -> T | None:
        """What `action` returns, or None when MLflow fails."""
        if not self.available:
            return None
        try:
            return action()
        except Exception as error:  # whatever a store, a network or a server may raise
            self.available = False
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            about = fitting(cleaned(f"{tracking_uri()}: {reason}"), width=250)
            print(
                f"warning: MLflow is off for this stage: {about}. The results are in files all the same; repair the "
                "store, or set MLFLOW_TRACKING_URI",
                file=sys.stderr,
            )
            return None

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of `MlflowClient`."""
        return self.attempt(lambda: getattr(self._client, method)(*arguments, **options))

    def run_id(self, name: str, identity: Mapping[str, str], parent: str | None = None) -> str:
        """The newest run with the tags `identity`, or a new one; an empty string where MLflow fails."""
        tags = {**identity, **({PARENT: parent} if parent else {})}
        conditions = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        for found in self.call("search_runs", [self._experiment_id], conditions) or []:
            if found.data.tags.get(PARENT) == parent:
                if ERROR in found.data.tags:
                    self.call("delete_tag", found.info.run_id, ERROR)
                return str(found.info.run_id)
        created = self.call("create_run", self._experiment_id, tags=tags, run_name=name)
        return str(created.info.run_id) if created else ""

    def end_dead_runs(self) -> None:
        """Mark as killed the runs whose process on this machine is no more."""
        mine = f"attributes.status = 'RUNNING' and tags.`{MACHINE}` = '{platform.node()}'"
        for found in self.call("search_runs", [self._experiment_id], mine) or []:
            if not _is_alive(int(found.data.tags.get(PROCESS, 0))):
                self.call("set_terminated", found.info.run_id, "KILLED")

    def _connect(self, dataset: str) -> None:
        # MLflow's own defaults would hold a training up for minutes when a server is down.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        uri = tracking_uri()
        database = Path(uri.removeprefix(SQLITE)).resolve() if uri.startswith(SQLITE) else None
        beside_store = (database.parent / "mlartifacts").as_uri() if database else None
        if beside_store:
            # Else MLflow takes ./mlruns, by a path in which it cannot quote an apostrophe.
            os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = beside_store
        with _opened_alone(database) if database else nullcontext():
            import mlflow

            for noisy in ("alembic", "mlflow"):
                logging.getLogger(noisy).setLevel(logging.CRITICAL)  # MLflow logs a traceback before it raises
            mlflow.set_tracking_uri(uri)
            self._client = mlflow.MlflowClient()
            self._experiment_id = _experiment_id(self._client, dataset, beside_store)


def tracking_uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{repository_root() / MLFLOW_DATABASE}"


def _experiment_id(client: "MlflowClient", dataset: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    if experiment := client.get_experiment_by_name(dataset):
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)
    try:
        return str(client.create_experiment(dataset, artifact_location=artifacts))
    except MlflowException:
        # Another stage may have made it in the meantime.
        if experiment := client.get_experiment_by_name(dataset):
            return str(experiment.experiment_id)
        raise


@contextmanager
def _opened_alone(database: Path) -> Iterator[None]:
    """Let one process at a time set up the file's tables: two together would leave it unusable for good.

    Raises `sqlite3.Error` or `OSError` at once where MLflow would try to open the file again and again for minutes.
    """
    with database.with_name(f"{database.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")
        yield


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
