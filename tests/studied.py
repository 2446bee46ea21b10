"""Small studies of a network of a few weights, and what they come to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reprolab.core.config import Experiment
from reprolab.core.layout import TRAININGS, training_folder
from reprolab.core.study import Study
from reprolab.data.parts import TrainingData
from reprolab.studies import prefixes, trials
from reprolab.studies.record import TrialRow, save_rows
from reprolab.studies.run import Result, rows_of, run_study
from reprolab.studies.space import plan_of
from reprolab.training.run import train
from tests.factories import make_experiment

NAME = "tried"
LR = "training.optimizer.lr"
BASE = make_experiment(model={"name": "mlp", "hidden": [4]})
GRID: dict[str, Any] = {"training": {"optimizer": {"lr": [0.01, 0.1, 1.0]}}}
EPOCHS: dict[str, Any] = {"training": {"epochs": [1, 2, 4]}}


def make_study(
    search: str = "grid", space: dict[str, Any] | None = None, objective: str = "validation_accuracy", **options: Any
) -> Study:
    """`options` are those of the search."""
    entry = {"dataset": "digits", "of": "small", "search": {"name": search, **options}, "space": space or {}}
    return Study.model_validate({**entry, "objective": objective})


def results_of(study: Study, data: TrainingData, base: Experiment = BASE, name: str = NAME) -> list[Result]:
    return run_study(name, study, base, data, plan_of(study, f"studies.{name}"))


def run(study: Study, data: TrainingData, base: Experiment = BASE, name: str = NAME) -> list[TrialRow]:
    return rows_of(results_of(study, data, base, name))


def table(rows: list[TrialRow]) -> bytes:
    """As it is written."""
    path = Path("table.csv").absolute()
    save_rows(path, rows)
    return path.read_bytes()


def known() -> set[str]:
    """The identities of the trainings that are in the archive."""
    return {path.parent.name for path in TRAININGS.glob("*/done.json")}


def make_trial(point: int = 0, seed: int = 0, score: float = 0.5, **changes: Any) -> TrialRow:
    """A row of a training that finished, whose accuracy is the score and whose loss is what it lacks."""
    values: dict[str, Any] = {
        "point": point,
        "settings": {},
        "seed": seed,
        "fold": None,
        "share": None,
        "state": "finished",
        "best_epoch": 2,
        "train_loss": 0.25,
        "train_accuracy": 0.875,
        "validation_loss": 1 - score,
        "validation_accuracy": score,
        "validation_macro_f1": score / 2,
        "clean_accuracy": None,
        "identity": f"{point:032x}{seed:032x}",
        "reason": "",
    }
    return TrialRow(**{**values, **changes})


def make_failed(point: int = 0, seed: int = 0, **changes: Any) -> TrialRow:
    scores = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "validation_macro_f1")
    none = dict.fromkeys(("best_epoch", *scores))
    return make_trial(point, seed, **{**none, "state": "failed", "reason": "it diverged", **changes})


@contextmanager
def counted(stop_at: int = 0) -> Iterator[list[Experiment]]:
    """The experiments that are trained in the meantime, each once for each call of the one way to train; the one with
    the number `stop_at` is broken off before it begins."""
    found: list[Experiment] = []

    def counting(experiment: Experiment, *arguments: Any, **options: Any) -> Any:
        if len(found) + 1 == stop_at:
            raise KeyboardInterrupt
        found.append(experiment)
        return train(experiment, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "train", counting)
        patch.setattr(prefixes, "train", counting)
        yield found


def epochs_of(experiments: list[Experiment]) -> list[int]:
    return [experiment.training.epochs for experiment in experiments]


def weights(identity: str) -> bytes:
    return (training_folder(identity) / "weights.safetensors").read_bytes()
