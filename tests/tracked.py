"""Runs to be tracked, and what MLflow has of them."""

from reprolab.models.folder import ModelInfo
from reprolab.tracking.lineage import INPUTS, Lineage
from reprolab.tracking.runs import Run
from reprolab.tracking.store import Store
from tests.factories import make_experiment, make_model_info, make_split_info

LINEAGE = Lineage(stage="train@small", hash="h" * 64, data="d" * 64, code="c" * 64)


def training_info(seeds: tuple[int, ...] = (0,), inputs: str = "inputs") -> ModelInfo:
    training = {"optimizer": {"name": "adam", "lr": 0.003}, "seeds": list(seeds)}
    return make_model_info(make_experiment(training), make_split_info(provenance="stand-in"), inputs=inputs)


def named_run(store: Store, inputs: str) -> Run:
    return Run(store, "a run", {INPUTS: inputs})


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    return [(entry.step, entry.value) for entry in run.store.call("get_metric_history", run.id, metric)]
