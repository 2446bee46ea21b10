"""fit(): the one training loop, from a split to the weights of one seed.

The randomness of an epoch depends on the seed and the epoch's number alone, so a run that was killed and
resumed from its checkpoint ends with the same weights as one that was not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NoReturn

import torch
import torch.nn.functional as F

from reprolab.checkpoint import Best, Epoch, TrainingState
from reprolab.classifier import Classifier, Weights, build_classifier, predict
from reprolab.config import Experiment
from reprolab.data.batches import Batches
from reprolab.data.splits import SplitInfo, TrainingData
from reprolab.device import Device
from reprolab.errors import InputError
from reprolab.initial import InitialWeights, start_from
from reprolab.models import FitsItself
from reprolab.optimization import make_loss, make_optimizer, make_schedule
from reprolab.progress import progress_bar
from reprolab.scores import score_logits

EPOCHS_A_SEED = 1_000_000
CHECK_EVERY_STEPS = 20


class DivergenceError(InputError):
    """The loss or the weights are not finite any more."""


@dataclass(frozen=True)
class Fit:
    """A trained classifier, every epoch, the epoch that the weights are from, the loss of every step, and the
    weights by epoch where the experiment asks for them."""

    classifier: Classifier
    history: list[Epoch]
    chosen: Epoch
    losses: list[float]
    snapshots: dict[int, Weights]


def fit(
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    device: Device,
    checkpoint: Path,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    initial: InitialWeights | None = None,
) -> Fit:
    """Train one seed; keep the best epoch by validation accuracy, or the last one where there is no validation part.

    Starts from `initial`, all but the head, or from random weights. Goes on from `checkpoint` when it exists, and
    writes it after every epoch; a network that a library fits starts anew, since only the library knows where it
    was. Raises `DivergenceError` when the loss or the weights are not finite.
    """
    settings = experiment.training
    torch.manual_seed(initial.head_seed(seed) if initial else seed)
    classifier = _start(experiment, data.info, initial).to(device.name)
    batches = Batches(data.train, settings.batch_size, experiment.input, device.name)
    validation = data.validation.on(device.name) if data.validation else None
    optimizer = make_optimizer(settings.optimizer, classifier)
    schedule = make_schedule(settings, optimizer, len(batches))
    loss_of = make_loss(settings)
    state = TrainingState(classifier, optimizer, schedule)
    if settings.snapshots:
        state.snapshots[0] = state.weights()
    if by_gradient := not isinstance(classifier.network, FitsItself):
        state.resume(checkpoint)

    for number in range(len(state.history) + 1, settings.epochs + 1):
        torch.manual_seed(seed * EPOCHS_A_SEED + number)
        started = perf_counter()
        tally = _Tally(number)
        classifier.train()
        with progress_bar(f"seed {seed}, epoch {number}/{settings.epochs}", len(data.train), "examples") as bar:
            if not by_gradient:
                _fit_by_library(classifier, batches, tally, experiment, seed)
            for inputs, labels in batches if by_gradient else ():
                with device.autocast():
                    logits = classifier(inputs)
                loss = loss_of(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                tally.add(loss, logits, labels, float(schedule.get_last_lr()[0]))
                optimizer.step()
                schedule.step()
                bar.update(len(labels))
                if len(tally.losses) % CHECK_EVERY_STEPS == 0:
                    bar.set_postfix(loss=f"{tally.check():.4f}")
        train_scores = tally.scores()
        if not all(parameter.isfinite().all() for parameter in classifier.parameters()):
            tally.stop("weights are", len(tally.losses))
        seconds = perf_counter() - started
        validation_scores = score_logits(predict(classifier, validation[0]), validation[1]) if validation else None
        epoch = Epoch(number, train_scores, validation_scores, tally.rates[-1], seconds, len(data.train) / seconds)
        state.history.append(epoch)
        state.losses += torch.stack(tally.losses).tolist()
        if settings.snapshots:
            state.snapshots[number] = state.weights()
        if validation and (state.best is None or _rank(epoch) > _rank(state.best.epoch)):
            state.best = Best(epoch, state.weights())
        on_epoch(epoch)
        if by_gradient:
            state.save(checkpoint)

    if state.best:
        classifier.load_state_dict(state.best.weights)
    chosen = state.best.epoch if state.best else state.history[-1]
    return Fit(classifier.eval(), state.history, chosen, state.losses, state.snapshots)


def _start(experiment: Experiment, info: SplitInfo, initial: InitialWeights | None) -> Classifier:
    classifier = build_classifier(experiment, info)
    if initial:
        start_from(initial, classifier, experiment)
    return classifier


def _fit_by_library(
    classifier: Classifier, batches: Batches, tally: "_Tally", experiment: Experiment, seed: int
) -> None:
    """One epoch of a network that a library trains: one entry in the tally, the loss after it."""
    assert isinstance(classifier.network, FitsItself)
    inputs, labels = batches.inputs, batches.labels
    classifier.network.fit_epoch(classifier.prepare(inputs), labels, experiment.training, seed)
    logits = predict(classifier, inputs)
    tally.add(F.cross_entropy(logits, labels), logits, labels, experiment.training.optimizer.lr)


def _rank(epoch: Epoch) -> tuple[float, float]:
    """Higher is better: the accuracy on the validation part, and where that is the same, the lower loss."""
    assert epoch.validation
    return epoch.validation["accuracy"], -epoch.validation["loss"]


class _Tally:
    """What an epoch's batches leave behind, kept on the device until it is asked for."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.losses: list[torch.Tensor] = []
        self.logits: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.rates: list[float] = []
        self.checked = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        self.losses.append(loss.detach())
        self.logits.append(logits.detach())
        self.labels.append(labels)
        self.rates.append(rate)

    def check(self) -> float:
        """The mean loss since the last check. Raises `DivergenceError` when one of them is not finite."""
        recent = torch.stack(self.losses[self.checked :])
        bad = recent.isfinite().logical_not().nonzero()
        if len(bad):
            self.stop("loss is", self.checked + int(bad[0]) + 1)
        self.checked = len(self.losses)
        return float(recent.mean())

    def stop(self, what: str, step: int) -> NoReturn:
        raise DivergenceError(
            f"the {what} not finite in epoch {self.epoch}, step {step}, with the learning rate "
            f"{self.rates[step - 1]:g}: lower training.optimizer.lr"
        )

    def scores(self) -> dict[str, float]:
        if self.checked < len(self.losses):
            self.check()
        return score_logits(torch.cat(self.logits), torch.cat(self.labels))
