"""Runs in MLflow: a view of the files, in which nothing that fails stops the work.

The only module that imports mlflow. The store is SQLite at the repository's root unless `MLFLOW_TRACKING_URI`
says otherwise. A run has an identity, the hash of its stage's inputs: the same inputs find the same run again.
"""

import logging
import os
import platform
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from getpass import getuser
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reprolab.config import flatten
from reprolab.files import repository_root
from reprolab.inputs import StageInputs
from reprolab.sqlite_store import opened_alone

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from reprolab.checkpoint import Epoch
    from reprolab.classifier import ModelInfo

T = TypeVar("T")
SQLITE = "sqlite:///"

PARENT = "mlflow.parentRunId"
INPUTS, STAGE, SEED, ERROR = "reprolab.inputs", "reprolab.stage", "reprolab.seed", "reprolab.error"
MACHINE, PROCESS = "reprolab.machine", "reprolab.process"
# What DVC itself changes while it runs a stage is no edit of the user's.
WRITTEN_BY_DVC = (":!dvc.lock", ":!metrics", ":!*.gitignore")
SEND_EVERY_SECONDS = 1.0


class Store:
    """The MLflow experiment of a data set. After the first failure, which is told, its calls do nothing."""

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
            print(
                f"warning: MLflow is off for this stage: {_without_password(tracking_uri())}: {reason}. The results "
                "are in files all the same; mend the store, or set MLFLOW_TRACKING_URI",
                file=sys.stderr,
            )
            return None

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of `MlflowClient`."""
        return self.attempt(lambda: getattr(self._client, method)(*arguments, **options))

    def run(self, name: str, identity: Mapping[str, str], parent: str | None = None) -> "Run":
        """The newest run with the tags `identity`, or a new one."""
        tags = {**identity, **({PARENT: parent} if parent else {})}
        conditions = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        for found in self.call("search_runs", [self._experiment_id], conditions) or []:
            if found.data.tags.get(PARENT) == parent:
                if ERROR in found.data.tags:
                    self.call("delete_tag", found.info.run_id, ERROR)
                return Run(self, found.info.run_id)
        created = self.call("create_run", self._experiment_id, tags=tags, run_name=name)
        return Run(self, created.info.run_id if created else "")

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
        with opened_alone(database) if database else nullcontext():
            import mlflow

            for noisy in ("alembic", "mlflow"):
                logging.getLogger(noisy).setLevel(logging.CRITICAL)  # MLflow logs a traceback before it raises
            mlflow.set_tracking_uri(uri)
            self._client = mlflow.MlflowClient()
            beside_store = (database.parent / "mlartifacts").as_uri() if database else None
            self._experiment_id = _experiment_id(self._client, dataset, beside_store)


class Run:
    """A run of a `Store`."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.id = run_id
        self._pending: list[Metric] = []
        self._sent_at = 0.0

    @contextmanager
    def in_progress(self) -> "Iterator[Run]":
        """Mark the run as running, and as finished, failed or killed when the block ends."""
        self.set_tags({MACHINE: platform.node(), PROCESS: os.getpid()})
        self.store.call("update_run", self.id, status="RUNNING")
        status = "FINISHED"
        try:
            yield self
        except BaseException as error:
            status = "KILLED" if isinstance(error, KeyboardInterrupt | SystemExit) else "FAILED"
            self.set_tags({ERROR: f"{type(error).__name__}: {error}".rstrip(": ")})
            raise
        finally:
            self._send_metrics()
            self.store.call("set_terminated", self.id, status)

    def log_epoch(self, epoch: "Epoch") -> None:
        """Log an epoch's scores, at once or together with those of the next epochs when they are short."""
        scores = {f"train_{name}": value for name, value in epoch.train.items()}
        scores |= {f"validation_{name}": value for name, value in (epoch.validation or {}).items()}
        scores["learning_rate"] = epoch.learning_rate
        scores["epoch_seconds"] = epoch.seconds
        scores["images_per_second"] = epoch.images_per_second
        self._add_metrics(scores, epoch.number)
        if time.monotonic() - self._sent_at > SEND_EVERY_SECONDS:
            self._send_metrics()

    def log_scores(self, scores: Mapping[str, Any], prefix: str = "") -> None:
        """Log those of the values that are numbers."""
        numbers = {f"{prefix}{name}": value for name, value in scores.items() if isinstance(value, int | float)}
        self._add_metrics(numbers, step=0)
        self._send_metrics()

    def log_params(self, params: Mapping[str, Any]) -> None:
        def log() -> None:
            from mlflow.entities import Param

            batch = [Param(name, str(value)) for name, value in flatten(params).items()]
            self.store.call("log_batch", self.id, params=batch)

        self.store.attempt(log)

    def _add_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        def add() -> None:
            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            self._pending += [Metric(name, value, now, step) for name, value in metrics.items()]

        self.store.attempt(add)

    def _send_metrics(self) -> None:
        self.store.call("log_batch", self.id, self._pending)
        self._pending = []
        self._sent_at = time.monotonic()

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        def log() -> None:
            from mlflow.entities import RunTag

            batch = [RunTag(name, str(value)) for name, value in tags.items()]
            self.store.call("log_batch", self.id, tags=batch)

        self.store.attempt(log)

    def log_files(self, *paths: Path) -> None:
        for path in paths:
            self.store.call("log_artifact", self.id, str(path))

    def log_model(self, model: Any, example: Any) -> None:
        """Add a PyTorch model as an exported program: no pickle, and no need of this library to load it."""
        if not self.store.available:
            return
        try:
            import mlflow

            with mlflow.start_run(run_id=self.id), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "No complete tensor found in the group")  # PyTorch's own, on CPU
                mlflow.pytorch.log_model(
                    model,
                    name="model",
                    input_example=example,
                    serialization_format="pt2",
                    pip_requirements=[f"{package}=={version(package)}" for package in ("torch", "numpy")],
                )
        except Exception as error:  # not every network can be exported
            print(f"warning: the model is not in MLflow: {error}", file=sys.stderr)


class TrainingRun(Run):
    """The run of a training; with several seeds it is the parent of a run for each."""

    def __init__(self, store: Store, model: "ModelInfo") -> None:
        self.identity = {INPUTS: model.inputs, STAGE: "train"}
        super().__init__(store, store.run(model.name, self.identity).id)
        self.seeds = model.experiment["training"]["seeds"]
        self.log_params(model.experiment)
        self.set_tags({"reprolab.provenance": model.split["provenance"]})

    def of_seed(self, seed: int) -> Run:
        """The seed's child run, or this one when there is only one seed."""
        if len(self.seeds) == 1:
            return self
        return self.store.run(f"seed {seed}", {**self.identity, SEED: str(seed)}, parent=self.id)


def view_run(store: Store, inputs: StageInputs) -> Run:
    """The run of a stage that sets trainings side by side: a comparison or a study."""
    stage, _, key = inputs.stage.partition("@")
    return store.run("comparison" if stage == "compare" else f"{stage} {key}", {INPUTS: inputs.hash, STAGE: stage})


def origin(inputs: StageInputs) -> dict[str, str]:
    """Tags that say what a result is made from, and where."""
    tags = {
        "mlflow.source.name": inputs.stage,
        "mlflow.user": _user(),
        "reprolab.data": inputs.data,
        "reprolab.code": inputs.code,
        "reprolab.torch": version("torch"),
    }
    if commit := _git("rev-parse", "HEAD"):
        edits = _git("status", "--porcelain", "--", ".", *WRITTEN_BY_DVC)
        tags |= {"mlflow.source.git.commit": commit, "reprolab.git_dirty": str(bool(edits))}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags["reprolab.dvc_experiment"] = experiment
    return tags


def tracking_uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{repository_root() / 'mlflow.db'}"


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


def _without_password(uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//", uri)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())
