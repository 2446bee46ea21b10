"""Runs in MLflow, each found again by its stage and the identity of its result."""

import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolab.core.config import experiment_yaml
from reprolab.core.errors import fitting
from reprolab.core.secrets import cleaned
from reprolab.tracking.lineage import EXPERIMENT, IDENTITY, STAGE, Lineage, training_lineage
from reprolab.tracking.store import ERROR, MACHINE, PROCESS, Store
from reprolab.training.identity import Origin, hash_of

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from reprolab.models.folder import ModelInfo
    from reprolab.training.record import Epoch, TrainRecord

SEED = "reprolab.seed"
SEND_EVERY_SECONDS = 1.0


class Run:
    """The newest run of a store with the tags `identity`, or a new one."""

    def __init__(self, store: Store, name: str, identity: Mapping[str, str], parent: str | None = None) -> None:
        self.store = store
        self.id = store.run_id(name, identity, parent)
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
            self.set_tags({ERROR: fitting(cleaned(f"{type(error).__name__}: {error}".rstrip(": ")))})
            raise
        finally:
            self._send_metrics()
            self.store.call("set_terminated", self.id, status)

    def log_epoch(self, epoch: "Epoch") -> None:
        """Log an epoch's scores, at once or together with those of the next epochs when they are short."""
        scores = {f"train_{name}": value for name, value in vars(epoch.train).items()}
        if epoch.validation:
            scores |= {f"validation_{name}": value for name, value in vars(epoch.validation).items()}
        measured = (epoch.learning_rate, epoch.seconds, epoch.images_per_second)
        names = ("learning_rate", "epoch_seconds", "images_per_second")
        scores |= {name: value for name, value in zip(names, measured, strict=True) if value is not None}
        self._add_metrics(scores, epoch.number)
        if time.monotonic() - self._sent_at > SEND_EVERY_SECONDS:
            self._send_metrics()

    def log_missing(self, epochs: Sequence["Epoch"]) -> None:
        """Log those of the epochs that the run does not have, of a training that is known or was interrupted."""
        self._send_metrics()
        logged = {entry.step for entry in self.store.call("get_metric_history", self.id, "train_loss") or []}
        for epoch in epochs:
            if epoch.number not in logged:
                self.log_epoch(epoch)

    def log_scores(self, scores: Mapping[str, Any], prefix: str = "") -> None:
        """Log those of the values that are numbers."""
        numbers = {f"{prefix}{name}": value for name, value in scores.items() if isinstance(value, int | float)}
        self._add_metrics(numbers, step=0)
        self._send_metrics()

    def log_params(self, params: Mapping[str, Any]) -> None:
        def log() -> None:
            from mlflow.entities import Param

            batch = [Param(name, str(value)) for name, value in _flat(params).items()]
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

    def log_text(self, text: str, name: str) -> None:
        self.store.call("log_text", self.id, text, name)

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
            print(fitting(cleaned(f"warning: the model is not in MLflow: {error}")), file=sys.stderr)


class TrainingRun(Run):
    """The run of a training; with several seeds it is the parent of a run for each."""

    def __init__(self, store: Store, model: "ModelInfo", identities: Mapping[int, str]) -> None:
        self.identities = identities
        self.identity = {IDENTITY: hash_of(list(identities.values())), STAGE: "train", EXPERIMENT: model.name}
        super().__init__(store, model.name, self.identity)
        self.log_params(model.experiment.model_dump(mode="json", exclude_none=True))
        self.log_text(experiment_yaml(model.name, model.experiment), "experiment.yaml")
        self.set_tags({"reprolab.provenance": model.split.provenance})

    def log_record(self, record: "TrainRecord") -> None:
        """Log the scores at the best epochs, and what the training ran on, which for a known one may be elsewhere."""
        self.set_tags({f"reprolab.{name}": getattr(record, name) for name in ("device", "precision", "threads")})
        self.log_scores(record.best_scores(), prefix="best_")

    def of_seed(self, seed: int) -> Run:
        """The seed's child run, or this one when there is only one seed."""
        if len(self.identities) == 1:
            return self
        identity = {IDENTITY: self.identities[seed], STAGE: "train", EXPERIMENT: self.identity[EXPERIMENT]}
        return Run(self.store, f"seed {seed}", {**identity, SEED: str(seed)}, parent=self.id)


@contextmanager
def training_run(model: "ModelInfo", origins: Mapping[int, Origin]) -> Iterator[TrainingRun]:
    """The run of a training, in progress; those of trainings that died are ended first."""
    store = Store(model.experiment.dataset)
    store.end_dead_runs()
    run = TrainingRun(store, model, {seed: origin.identity for seed, origin in origins.items()})
    with run.in_progress():
        run.set_tags(training_lineage(model.name, origins).tags())
        yield run


@contextmanager
def evaluation_run(model: "ModelInfo", identities: Mapping[int, str]) -> Iterator[TrainingRun]:
    """The run of the training that made a model, in progress again."""
    run = TrainingRun(Store(model.experiment.dataset), model, identities)
    with run.in_progress():
        yield run


@contextmanager
def comparison_run(name: str, dataset: str, lineage: Lineage) -> Iterator[Run]:
    """The run of a comparison, in progress."""
    run = Run(Store(dataset), f"comparison {name}", {IDENTITY: lineage.identity, STAGE: "compare"})
    with run.in_progress():
        run.set_tags(lineage.tags())
        yield run


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
