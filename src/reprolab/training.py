"""fit(): the one training loop, from a split to the weights of one seed.

The randomness of an epoch depends on the seed and the epoch's number alone, so a run that was killed and
resumed from its checkpoint ends with the same weights as one that was not.
"""

import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reprolab.classifier import Classifier, build_classifier, predict
from reprolab.config import Experiment
from reprolab.data.batches import Batches
from reprolab.data.splits import Part, SplitInfo
from reprolab.device import Device
from reprolab.errors import InputError
from reprolab.files import atomic_file, repository_root
from reprolab.optimization import make_optimizer, make_schedule
from reprolab.progress import progress_bar
from reprolab.scores import score_logits

EPOCHS_A_SEED = 1_000_000
CHECK_EVERY = 20


class DivergenceError(InputError):
    """The loss is not finite any more."""


@dataclass(frozen=True)
class Epoch:
    """Scores (loss, accuracy, macro_f1) after one epoch; those of training are taken as its batches go by."""

    number: int
    train: dict[str, float]
    validation: dict[str, float] | None
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Fit:
    """A trained classifier, every epoch, and the number of the epoch that the weights are from."""

    classifier: Classifier
    history: list[Epoch]
    chosen: int


def fit(
    experiment: Experiment,
    info: SplitInfo,
    train: Part,
    validation: Part | None,
    seed: int,
    device: Device,
    checkpoint: Path,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train one seed and keep the best epoch by validation accuracy, or the last one without validation.

    Goes on from `checkpoint` when it exists, and writes it after every epoch. Raises `DivergenceError` when
    the loss is not finite.
    """
    settings = experiment.training
    torch.manual_seed(seed)
    classifier = build_classifier(experiment, info).to(device.name)
    batches = Batches(train, settings.batch_size, experiment.input, device.name)
    optimizer = make_optimizer(settings.optimizer, classifier)
    schedule = make_schedule(settings, optimizer, len(batches))
    held_out = _to_device(validation, device) if validation else None
    history, best = _resume(checkpoint, classifier, optimizer, schedule)

    for number in range(len(history) + 1, settings.epochs + 1):
        torch.manual_seed(seed * EPOCHS_A_SEED + number)
        started = perf_counter()
        tally = _Tally(number)
        classifier.train()
        with progress_bar(f"seed {seed}, epoch {number}/{settings.epochs}", len(train), "images") as bar:
            for images, labels in batches:
                with device.autocast():
                    logits = classifier(images)
                loss = F.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()
                tally.add(loss, logits, labels, schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
                bar.update(len(labels))
                if len(tally.losses) % CHECK_EVERY == 0:
                    bar.set_postfix(loss=f"{tally.check():.4f}")
        scores = tally.scores()
        seconds = perf_counter() - started
        held_out_scores = score_logits(predict(classifier, held_out[0]), held_out[1]) if held_out else None
        history.append(Epoch(number, scores, held_out_scores, tally.rates[-1], seconds, len(train) / seconds))
        if held_out_scores and (best is None or _rank(held_out_scores) > _rank(best.scores)):
            weights = {key: value.detach().clone() for key, value in classifier.state_dict().items()}
            best = _Best(number, held_out_scores, weights)
        on_epoch(history[-1])
        _save(checkpoint, classifier, optimizer, schedule, history, best)

    if best:
        classifier.load_state_dict(best.weights)
    return Fit(classifier.eval(), history, best.epoch if best else settings.epochs)


@dataclass(frozen=True)
class _Best:
    epoch: int
    scores: dict[str, float]
    weights: dict[str, torch.Tensor]


def _rank(scores: dict[str, float]) -> tuple[float, float]:
    """Higher is better: the accuracy, and where that is the same, the lower loss."""
    return scores["accuracy"], -scores["loss"]


class _Tally:
    """What an epoch's batches leave behind, kept on the device until it is asked for."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.losses: list[torch.Tensor] = []
        self.rates: list[float] = []
        self.logits: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.checked = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        self.losses.append(loss.detach())
        self.rates.append(rate)
        self.logits.append(logits.detach())
        self.labels.append(labels)

    def check(self) -> float:
        """The mean loss since the last check. Raises `DivergenceError` when one of them is not finite."""
        recent = torch.stack(self.losses[self.checked :])
        mean = float(recent.mean())
        if not math.isfinite(mean):
            step = self.checked + int(torch.isfinite(recent).logical_not().nonzero()[0]) + 1
            raise DivergenceError(
                f"the loss is not finite in epoch {self.epoch}, step {step}, with the learning rate "
                f"{self.rates[step - 1]:g}: lower training.optimizer.lr"
            )
        self.checked = len(self.losses)
        return mean

    def scores(self) -> dict[str, float]:
        if self.checked < len(self.losses):
            self.check()
        return score_logits(torch.cat(self.logits), torch.cat(self.labels))


def checkpoint_path(name: str, inputs: str, seed: int) -> Path:
    """Outside the stage's outputs, which DVC removes before it runs a stage again."""
    return repository_root() / ".reprolab" / "checkpoints" / f"{name}-{inputs}-seed-{seed}.pt"


def _to_device(part: Part, device: Device) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(part.inputs).to(device.name), torch.from_numpy(part.labels).to(device.name)


def _save(
    path: Path,
    classifier: Classifier,
    optimizer: Optimizer,
    schedule: LRScheduler,
    history: list[Epoch],
    best: _Best | None,
) -> None:
    with atomic_file(path) as partial:
        torch.save(
            {
                "classifier": classifier.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "history": [asdict(epoch) for epoch in history],
                "best": vars(best) if best else None,
            },
            partial,
        )


def _resume(
    path: Path, classifier: Classifier, optimizer: Optimizer, schedule: LRScheduler
) -> tuple[list[Epoch], _Best | None]:
    if not path.exists():
        return [], None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}): remove it to train from the start") from None
    classifier.load_state_dict(state["classifier"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return [Epoch(**epoch) for epoch in state["history"]], _Best(**state["best"]) if state["best"] else None
