"""Trainings that differ in the number of epochs alone are the beginnings of one, where nothing looks ahead."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.data.parts import SplitInfo, TrainingData
from reprolab.models.build import FitsItself
from reprolab.models.classifier import build_classifier
from reprolab.training.archive import FRESH_VARIABLE, folder_of
from reprolab.training.identity import hash_of, origins_of
from reprolab.training.meter import DivergenceError
from reprolab.training.record import Epoch, Fit
from reprolab.training.run import train

if TYPE_CHECKING:
    from reprolab.models.pretrained import PretrainedWeights
    from reprolab.studies.trials import Trial


def chains(trials: Iterable["Trial"], info: SplitInfo) -> list[list["Trial"]]:
    """Trials that are beginnings of one training together, by the number of epochs; each other one alone."""
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        settings = trial.experiment.model_dump(mode="json", exclude={"training": {"epochs"}})
        found[hash_of([settings, trial.seed, vars(trial.cut)])].append(trial)
    result: list[list[Trial]] = []
    for chain in found.values():
        ordered = sorted(chain, key=_epochs)
        if len(chain) > 1 and _looks_ahead(ordered[0].experiment, ordered[-1].experiment, info):
            result += [[trial] for trial in chain]
        else:
            result.append(ordered)
    return result


def trained_with_prefixes(trials: Sequence["Trial"], data: TrainingData) -> Callable[..., Fit]:
    """What trains any of the trials of a chain as `training.run.train` does, by one training for all of them."""
    missing = [trial for trial in trials if not _is_known(trial, data)]
    found: list[Fit] = []
    diverged: list[int] = []  # seeds

    def training(
        experiment: Experiment,
        data: TrainingData,
        pretrained: "PretrainedWeights | None",
        seed: int,
        checkpoint: Path | None,
        on_epoch: Callable[[Epoch], None],
    ) -> Fit:
        # One that was known may turn out to be damaged, and longer than what was found.
        if not (found and len(found[0].epochs) >= experiment.training.epochs) and not diverged:
            longest = max([experiment, *(trial.experiment for trial in missing)], key=lambda it: it.training.epochs)
            settings = longest.training.model_copy(update={"snapshots": True})
            try:
                # It writes no checkpoint: that would be one of another training.
                found[:] = [train(experiment.model_copy(update={"training": settings}), data, pretrained, seed)]
            except DivergenceError:
                diverged.append(seed)
        if diverged:  # maybe late, when a shorter one has ended
            return train(experiment, data, pretrained, seed, checkpoint, on_epoch)
        fit = beginning(found[0], experiment)
        for epoch in fit.epochs:
            on_epoch(epoch)
        return fit

    return training


def beginning(fit: Fit, experiment: Experiment) -> Fit:
    """What a training of the experiment's epochs gives, from a longer one with the weights after each epoch."""
    settings = experiment.training
    epochs = fit.epochs[: settings.epochs]
    best = epochs[-1] if settings.keep == "last" or not epochs[-1].validation else max(epochs, key=_rank)
    fit.classifier.load_state_dict(fit.snapshots[best.number])
    steps = len(fit.losses) // len(fit.epochs) * len(epochs)
    snapshots = {n: weights for n, weights in fit.snapshots.items() if n <= len(epochs)} if settings.snapshots else {}
    return Fit(fit.classifier, fit.device, epochs, best, fit.losses[:steps], snapshots)


def _is_known(trial: "Trial", data: TrainingData) -> bool:
    return (
        not os.environ.get(FRESH_VARIABLE)
        and folder_of(origins_of(trial.experiment, data, None)[trial.seed].identity).is_done
    )


def _looks_ahead(short: Experiment, long: Experiment, info: SplitInfo) -> bool:
    """Whether the training depends on its number of epochs before its end: by its schedule, or by an end of its own."""
    try:
        if isinstance(build_classifier(short, info).network, FitsItself):
            return True
        return _rates(short, short) != _rates(long, short)
    except InputError:  # each says so by itself, or its schedule takes more steps than there are here
        return True


def _rates(experiment: Experiment, until: Experiment) -> list[float]:
    """The learning rate of each of two steps an epoch, as long as `until` trains."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=float(experiment.training.optimizer.options["lr"]))
    schedule = experiment.training.schedule.bind("training.schedule")(optimizer, experiment.training.epochs, 2)
    rates = []
    for _ in range(2 * until.training.epochs):
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return rates


def _epochs(trial: "Trial") -> int:
    return trial.experiment.training.epochs


def _rank(epoch: Epoch) -> tuple[float, float]:
    """As the training's state ranks them, which keeps the first of equals."""
    assert epoch.validation
    return epoch.validation.accuracy, -epoch.validation.loss
