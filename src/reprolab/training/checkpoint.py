"""The state of a training between two epochs, and its file."""

import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reprolab.core.errors import InputError
from reprolab.core.files import atomic_file
from reprolab.models.classifier import Classifier, Weights
from reprolab.training.device import Device
from reprolab.training.record import Epoch, Fit, Scores


@dataclass(frozen=True)
class Best:
    """The weights after the best epoch so far."""

    epoch: Epoch
    weights: Weights


@dataclass
class TrainingState:
    """`losses` are those of every step so far; `snapshots` the weights by epoch, 0 being the start, where they are
    kept. Only a state with its optimizer and schedule can be saved and resumed."""

    classifier: Classifier
    optimizer: Optimizer | None = None
    schedule: LRScheduler | None = None
    keeps_snapshots: bool = False
    epochs: list[Epoch] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    snapshots: dict[int, Weights] = field(default_factory=dict)
    best: Best | None = None

    def __post_init__(self) -> None:
        if self.keeps_snapshots:
            self.snapshots[0] = self.weights()

    def weights(self) -> Weights:
        """A copy of the classifier's weights as they are now."""
        return {key: value.clone() for key, value in self.classifier.state_dict().items()}

    def add(self, epoch: Epoch, losses: list[torch.Tensor]) -> None:
        """Take in an epoch that has ended, and the loss of each of its steps."""
        self.epochs.append(epoch)
        self.losses += torch.stack(losses).tolist()
        if self.keeps_snapshots:
            self.snapshots[epoch.number] = self.weights()
        if epoch.validation and (self.best is None or _rank(epoch) > _rank(self.best.epoch)):
            self.best = Best(epoch, self.weights())

    def result(self, device: Device) -> Fit:
        """The classifier gets the weights of the best epoch; without validation scores that is the last one."""
        if self.best:
            self.classifier.load_state_dict(self.best.weights)
        best = self.best.epoch if self.best else self.epochs[-1]
        return Fit(self.classifier.eval(), device, self.epochs, best, self.losses, self.snapshots)

    def save(self, path: Path) -> None:
        assert self.optimizer and self.schedule
        content = {
            "classifier": self.classifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "losses": torch.tensor(self.losses),
            "snapshots": self.snapshots,
            "best": {"epoch": asdict(self.best.epoch), "weights": self.best.weights} if self.best else None,
        }
        with atomic_file(path) as partial:
            torch.save(content, partial)

    def resume(self, path: Path) -> None:
        """Go on from what `save` wrote, or from the start when there is nothing. Raises `InputError` on a bad file."""
        assert self.optimizer and self.schedule
        if not path.exists():
            return
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            raise InputError(f"{path} is not a checkpoint, or damaged: remove it to train from the start") from None
        self.classifier.load_state_dict(content["classifier"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.epochs = [_epoch(epoch) for epoch in content["epochs"]]
        self.losses = content["losses"].tolist()
        self.snapshots = content["snapshots"]
        if best := content["best"]:
            self.best = Best(_epoch(best["epoch"]), best["weights"])


def _epoch(content: dict[str, Any]) -> Epoch:
    parts = {part: Scores(**content[part]) if content[part] else None for part in ("train", "validation")}
    return Epoch(**content | parts)


def _rank(epoch: Epoch) -> tuple[float, float]:
    """Higher is better: the accuracy on the validation part, and where that is the same, the lower loss."""
    assert epoch.validation
    return epoch.validation.accuracy, -epoch.validation.loss
