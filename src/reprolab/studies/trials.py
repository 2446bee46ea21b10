"""The trainings of a study, one by one: each is a training like any other, known by its identity."""

import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.progress import no_bars
from reprolab.core.study import Settings
from reprolab.data.parts import Part, TrainingData
from reprolab.models.classifier import predict
from reprolab.studies.data import Cut, cut_data
from reprolab.studies.plan import Plan
from reprolab.studies.prefixes import trained_with_prefixes
from reprolab.training.archive import folder_of, train_once
from reprolab.training.checkpoint import epochs_in
from reprolab.training.identity import origins_of
from reprolab.training.record import Epoch, Fit
from reprolab.training.run import train
from reprolab.training.scores import score_logits

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.storages import JournalStorage

PROVED_FROM = 20  # batches an epoch; a proof takes two of them, of every epoch

State = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One training of a point of the space; `experiment` is resolved, with this seed alone."""

    point: int
    settings: Settings
    experiment: Experiment
    seed: int
    cut: Cut


@dataclass(frozen=True)
class Outcome:
    """`best` is the epoch whose weights were kept, of a pruned trial the last one. `reason` says why a trial failed,
    `clean_accuracy` is that on the clean examples, where there are such."""

    state: State
    identity: str
    epochs: Sequence[Epoch] = ()
    best: Epoch | None = None
    reason: str = ""
    clean_accuracy: float | None = None


class Pruned(Exception):
    """Raised by a pruner's look at an epoch."""


@dataclass(frozen=True)
class Pruning:
    """Where the trial of a point is found in Optuna's storage, which several processes write."""

    storage: Path
    study: str
    trial_id: int
    pruner: "BasePruner"

    def look(self, objective: str) -> Callable[[Epoch], None]:
        """Report an epoch's score; raises `Pruned` where the pruner gives the trial up."""
        import optuna

        study = optuna.load_study(study_name=self.study, storage=open_storage(self.storage), pruner=self.pruner)
        trial = optuna.trial.Trial(study, self.trial_id)
        score = objective.removeprefix("validation_")

        def report(epoch: Epoch) -> None:
            assert epoch.validation
            trial.report(getattr(epoch.validation, score), epoch.number)
            if trial.should_prune():
                raise Pruned

        return report


def open_storage(path: Path) -> "JournalStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


def run_trials(
    name: str, trials: Sequence[Trial], data: TrainingData, plan: Plan, objective: str, pruning: Pruning | None = None
) -> list[Outcome]:
    """Of trials that differ in the number of epochs alone, by which they are sorted.

    `data` are those of the split. What is known is taken over, and what was begun goes on. A trial that diverges or
    that its data do not fit fails by itself.
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), no_bars():
        seen = cut_data(data, plan, trials[0].cut, trials[0].seed)
        longest = trained_with_prefixes(trials, seen.training) if len(trials) > 1 else train
        return [_run(name, trial, seen.training, seen.clean, longest, objective, pruning) for trial in trials]


def _run(
    name: str,
    trial: Trial,
    data: TrainingData,
    clean: Part | None,
    training: Callable[..., Fit],
    objective: str,
    pruning: Pruning | None,
) -> Outcome:
    origin = origins_of(trial.experiment, data, None)[trial.seed]
    epochs: list[Epoch] = []
    look = pruning.look(objective) if pruning else None

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        if look:
            look(epoch)

    try:
        folder = folder_of(origin.identity)
        if look and not folder.is_done:
            # What was trained before an interruption is looked at again, and would be broken off where it was.
            for epoch in epochs_in(folder.checkpoint):
                on_epoch(epoch)
        proves = len(data.train) >= PROVED_FROM * trial.experiment.training.batch_size
        fit = train_once(name, trial.experiment, data, None, origin, on_epoch, training=training, proves=proves)
        if look:
            for epoch in fit.epochs[len(epochs) :]:
                on_epoch(epoch)
    except Pruned:
        return Outcome("pruned", origin.identity, epochs, epochs[-1])
    except InputError as error:
        return Outcome("failed", origin.identity, epochs, reason=str(error))
    accuracy = _accuracy(fit, clean) if clean else None
    return Outcome("finished", origin.identity, fit.epochs, fit.best, clean_accuracy=accuracy)


def _accuracy(fit: Fit, part: Part) -> float:
    classifier = fit.classifier.to(fit.device.name)
    inputs, labels = part.on(fit.device.name)
    return score_logits(predict(classifier, inputs), labels).accuracy
