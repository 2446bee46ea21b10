"""The state of a training between two epochs, and its file."""

import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reprolab.classifier import Classifier, Weights
from reprolab.errors import InputError
from reprolab.files import CHECKPOINTS, atomic_file, repository_root


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
class Best:
    """The weights after the best epoch so far."""

    epoch: Epoch
    weights: Weights


@dataclass
class TrainingState:
    """`losses` are those of every step so far; `snapshots` the weights by epoch, where they are asked for."""

    classifier: Classifier
    optimizer: Optimizer
    schedule: LRScheduler
    history: list[Epoch] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    snapshots: dict[int, Weights] = field(default_factory=dict)
    best: Best | None = None

    def weights(self) -> Weights:
        """A copy of the classifier's weights as they are now."""
        return {key: value.clone() for key, value in self.classifier.state_dict().items()}

    def save(self, path: Path) -> None:
        content = {
            "classifier": self.classifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "losses": torch.tensor(self.losses),
            "snapshots": self.snapshots,
            "best": {"epoch": asdict(self.best.epoch), "weights": self.best.weights} if self.best else None,
        }
        with atomic_file(path) as partial:
            torch.save(content, partial)

    def resume(self, path: Path) -> None:
        """Go on from what `save` wrote, or from the start when there is nothing. Raises `InputError` on a bad file."""
        if not path.exists():
            return
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            raise InputError(f"{path} is not a checkpoint, or damaged: remove it to train from the start") from None
        self.classifier.load_state_dict(content["classifier"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.history = [Epoch(**epoch) for epoch in content["history"]]
        self.losses = content["losses"].tolist()
        self.snapshots = content["snapshots"]
        if best := content["best"]:
            self.best = Best(Epoch(**best["epoch"]), best["weights"])


def checkpoint_path(name: str, inputs: str, seed: int) -> Path:
    """Outside the stage's outputs, which DVC removes before it runs a stage again."""
    return repository_root() / CHECKPOINTS / f"{name}-{inputs}-seed-{seed}.pt"
