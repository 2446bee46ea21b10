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
from reprolab.classifier import Classifier, build_classifier, predict
from reprolab.config import Experiment
from reprolab.data.batches import Batches
from reprolab.data.splits import TrainingData
from reprolab.device import Device
from reprolab.errors import InputError
from reprolab.optimization import make_optimizer, make_schedule
from reprolab.progress import progress_bar
from reprolab.scores import score_logits

EPOCHS_A_SEED = 1_000_000
CHECK_EVERY_STEPS = 20


class DivergenceError(InputError):
    """The loss or the weights are not finite any more."""


@dataclass(frozen=True)
class Fit:
    """A trained classifier, every epoch, and the epoch that the weights are from."""

    classifier: Classifier
    history: list[Epoch]
    chosen: Epoch


def fit(
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    device: Device,
    checkpoint: Path,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train one seed; keep the best epoch by validation accuracy, or the last one where there is no validation part.

    Goes on from `checkpoint` when it exists, and writes it after every epoch. Raises `DivergenceError` when
    the loss or the weights are not finite.
    """
    settings = experiment.training
    torch.manual_seed(seed)
    classifier = build_classifier(experiment, data.info).to(device.name)
    batches = Batches(data.train, settings.batch_size, experiment.input, device.name)
    validation = data.validation.on(device.name) if data.validation else None
    optimizer = make_optimizer(settings.optimizer, classifier)
    schedule = make_schedule(settings, optimizer, len(batches))
    state = TrainingState(classifier, optimizer, schedule)
    state.resume(checkpoint)

    for number in range(len(state.history) + 1, settings.epochs + 1):
        torch.manual_seed(seed * EPOCHS_A_SEED + number)
        started = perf_counter()
        tally = _Tally(number)
        classifier.train()
        with progress_bar(f"seed {seed}, epoch {number}/{settings.epochs}", len(data.train), "images") as bar:
            for images, labels in batches:
                with device.autocast():
                    logits = classifier(images)
                loss = F.cross_entropy(logits, labels)
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
        if validation and (state.best is None or _rank(epoch) > _rank(state.best.epoch)):
            state.best = Best(epoch, {key: value.clone() for key, value in classifier.state_dict().items()})
        on_epoch(epoch)
        state.save(checkpoint)

    if state.best:
        classifier.load_state_dict(state.best.weights)
    return Fit(classifier.eval(), state.history, state.best.epoch if state.best else state.history[-1])


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
