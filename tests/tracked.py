"""Runs to be tracked, as their journals, and what MLflow has of them."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch

from reprolab.core.journal import Journal
from reprolab.core.layout import TRAINING_JOURNAL, TRAINING_WEIGHTS, training_folder
from reprolab.evaluation.evaluate import Evaluation
from reprolab.models.folder import ModelInfo, save_tensors
from reprolab.tracking.content import Run
from reprolab.tracking.journals import run_of
from reprolab.tracking.recording import TrainingJournal, record_evaluation
from reprolab.tracking.store import Store
from reprolab.training.record import Epoch
from tests.factories import (
    make_classifier,
    make_epoch,
    make_experiment,
    make_model_info,
    make_origin,
    make_scores,
    make_split_info,
)
from tests.result_factories import make_train_record

if TYPE_CHECKING:
    from tests.pipeline import Pipeline

EPOCHS = 3


def training_info(seeds: Sequence[int] = (0,), name: str = "small") -> ModelInfo:
    training = {"optimizer": {"name": "adam", "lr": 0.003}, "seeds": list(seeds)}
    return make_model_info(make_experiment(training), make_split_info(provenance="stand-in"), name)


def epoch_of(seed: int, number: int) -> Epoch:
    """An epoch whose numbers tell the seed and the epoch; the second seed is the better one."""
    scores = make_scores(loss=1 / (number + seed), accuracy=0.5 + number / 10 + seed / 100)
    return make_epoch(number, scores, scores)


class Recorded:
    """A training that writes its journals, step by step."""

    def __init__(self, seeds: Sequence[int] = (0,), name: str = "small", data: str = "d") -> None:
        self.info = training_info(seeds, name)
        self.origins = {seed: make_origin(seed, data=data * 64) for seed in seeds}
        self.stage = TrainingJournal(self.info, self.origins)

    @property
    def journal(self) -> Journal:
        return self.stage.journal

    def of_seed(self, seed: int) -> Journal:
        return Journal(training_folder(self.origins[seed].identity) / TRAINING_JOURNAL)

    def train(self, epochs: Mapping[int, Sequence[Epoch]] | None = None, error: BaseException | None = None) -> None:
        """All epochs of every seed; with an error in the last one."""
        with suppress(ValueError, KeyboardInterrupt, SystemExit), self.stage.running():
            for seed in self.origins:
                journal = self.of_seed(seed)
                with journal.running(**self.stage.seed_facts(seed)):
                    given = epochs[seed] if epochs else [epoch_of(seed, number) for number in range(1, EPOCHS + 1)]
                    for epoch in given:
                        journal.add("epoch", **asdict(epoch))
                    if error and seed == max(self.origins):
                        raise error
            best = [EPOCHS] * len(self.origins)
            identities = [origin.identity for origin in self.origins.values()]
            self.stage.add_record(make_train_record(best_epochs=best, identities=identities))

    def evaluate(self, folder: Path, accuracy: float = 0.8) -> None:
        """With a figure, a table, and weights for the model."""
        folder.mkdir(exist_ok=True)
        written = [folder / "test.json", folder / "classes.csv", folder / "loss.png"]
        for path in written:
            path.write_text(f"{path.name} {accuracy}")
        for seed, origin in self.origins.items():
            weights = make_classifier(self.info, seed).state_dict()
            save_tensors(training_folder(origin.identity) / TRAINING_WEIGHTS, weights)
        record_evaluation(
            self.info.name, self.stage.identities, self._evaluation(accuracy), np.zeros((2, 1, 8, 8), np.uint8), written
        )

    def _evaluation(self, accuracy: float) -> Evaluation:
        return Evaluation(
            scores={seed: make_scores(accuracy=accuracy + seed / 100) for seed in self.origins},
            confusion=np.eye(3, dtype=int),
            classes=["a", "b", "c"],
            parameters=10,
            trainable=8,
            images=3,
            device="cpu",
            provenance="stand-in",
            classifiers={},
            logits=torch.zeros(3, 3),
        )

    def run(self) -> Run:
        run = run_of(self.journal)
        assert run
        return run


def work(epochs: int, wait: Callable[[], object]) -> None:
    """As a stage that trains one seed: wait before each epoch, and print its number after it."""
    recorded = Recorded()
    with recorded.stage.running():
        with recorded.of_seed(0).running(**recorded.stage.seed_facts(0)):
            for number in range(1, epochs + 1):
                wait()
                recorded.of_seed(0).add("epoch", **asdict(epoch_of(0, number)))
                print(number, flush=True)
        recorded.stage.add_record(make_train_record(best_epochs=[epochs], identities=["a"]))


def only_once(history: Sequence[int]) -> bool:
    return max(Counter(history).values(), default=1) == 1


def contents(store: Store) -> dict[str, Any]:
    """All of MLflow but numbers that it made up, by the runs' experiments and names: parents before their children."""
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    runs = store.search(store.experiments())
    for run in sorted(runs, key=lambda run: "mlflow.parentRunId" in run.data.tags):
        parent = names.get(run.data.tags.get("mlflow.parentRunId", ""), "")
        experiment = store.client.get_experiment(run.info.experiment_id).name
        name = f"{parent or experiment}/{run.info.run_name}"
        if experiment == "comparison":  # each time that its experiments have changed
            name += f"/{run.data.tags['reprolab.identity']}"
        names[run.info.run_id] = name
        assert name not in found, f"{name} is twice in MLflow"
        found[name] = _content(store, run)
    return found


def _content(store: Store, run: Any) -> dict[str, Any]:
    client, number = store.client, run.info.run_id
    histories = {
        metric: sorted(
            (entry.step, entry.value, entry.timestamp) for entry in client.get_metric_history(number, metric)
        )
        for metric in run.data.metrics
    }
    models = [client.get_logged_model(output.model_id) for output in run.outputs.model_outputs]
    return {
        "status": run.info.status,
        "times": (run.info.start_time, run.info.end_time),
        "parameters": run.data.params,
        "tags": {key: value for key, value in run.data.tags.items() if key not in ("mlflow.parentRunId",)},
        "metrics": histories,
        "data": [(data.dataset.name, data.dataset.digest) for data in run.inputs.dataset_inputs],
        "files": sorted(file.path for file in client.list_artifacts(number)),
        "models": sorted((model.name, str(model.status), model.source_run_id == number) for model in models),
    }


def in_mlflow(pipeline: "Pipeline") -> dict[str, Any]:
    """The contents of a pipeline's own store."""
    with chdir(pipeline.root), patch.dict(os.environ):  # where MLflow leaves the address
        return contents(Store())


def steps(store: Store, run: str, metric: str) -> list[int]:
    """By the run's name as `contents` has it."""
    return [step for step, _, _ in contents(store)[run]["metrics"][metric]]
