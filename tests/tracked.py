"""Runs to be tracked, and what MLflow has of them."""

from reprolab.models.folder import ModelInfo
from reprolab.tracking.lineage import IDENTITY
from reprolab.tracking.runs import Run, TrainingRun
from reprolab.tracking.store import Store
from tests.factories import make_experiment, make_model_info, make_origin, make_split_info

ORIGINS = {0: make_origin()}


def training_info(seeds: tuple[int, ...] = (0,)) -> ModelInfo:
    training = {"optimizer": {"name": "adam", "lr": 0.003}, "seeds": list(seeds)}
    return make_model_info(make_experiment(training), make_split_info(provenance="stand-in"))


def started(store: Store, seeds: tuple[int, ...] = (0,), identity: str = "a") -> TrainingRun:
    """The run of a training whose seeds have identities that begin with `identity`."""
    return TrainingRun(store, training_info(seeds), {seed: f"{identity}{seed}" for seed in seeds})


def named_run(store: Store, identity: str) -> Run:
    return Run(store, "a run", {IDENTITY: identity})


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    return [(entry.step, entry.value) for entry in run.store.call("get_metric_history", run.id, metric)]
