"""The state of a training between two epochs, and its file."""

import copy
import hashlib
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reprolab.core.errors import InputError
from reprolab.core.files import atomic_file
from reprolab.models.classifier import Classifier, Weights
from reprolab.training.device import Device
from reprolab.training.record import Epoch, Fit, Scores

EVERY_SECONDS = 20.0
DIGEST_BYTES = 32


@dataclass(frozen=True)
class Best:
    """The weights after the best epoch so far."""

    epoch: Epoch
    weights: Weights


@dataclass
class TrainingState:
    """`losses` are those of every step so far; `snapshots` the weights by epoch, 0 being the start, where they are
    kept; `best` is None where the last epoch is to be kept. Only a state with its optimizer and schedule can be saved
    and resumed."""

    classifier: Classifier
    optimizer: Optimizer | None = None
    schedule: LRScheduler | None = None
    keeps_snapshots: bool = False
    keeps_last: bool = False
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
        self.losses += [round(loss, 6) for loss in torch.stack(losses).tolist()]
        if self.keeps_snapshots:
            self.snapshots[epoch.number] = self.weights()
        if epoch.validation and not self.keeps_last and (self.best is None or _rank(epoch) > _rank(self.best.epoch)):
            self.best = Best(epoch, self.weights())

    def result(self, device: Device) -> Fit:
        """The classifier gets the weights of the best epoch.

        The last one counts as the best where it is to be kept, and without validation scores.
        """
        if self.best:
            self.classifier.load_state_dict(self.best.weights)
        best = self.best.epoch if self.best else self.epochs[-1]
        return Fit(self.classifier.eval(), device, self.epochs, best, self.losses, self.snapshots)

    def content(self) -> dict[str, Any]:
        """All that `restore` needs; it changes with the training."""
        assert self.optimizer and self.schedule
        return {
            "classifier": self.classifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "snapshots": dict(self.snapshots),
            "best": {"epoch": asdict(self.best.epoch), "weights": self.best.weights} if self.best else None,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Raises ValueError, KeyError, TypeError or RuntimeError for what another kind of training left."""
        assert self.optimizer and self.schedule
        known, present = content["optimizer"]["param_groups"], self.optimizer.param_groups
        if [group.keys() for group in known] != [group.keys() for group in present]:
            raise ValueError("another optimizer's")
        self.classifier.load_state_dict(content["classifier"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.epochs = [_epoch(epoch) for epoch in content["epochs"]]
        self.losses = content["losses"].tolist()
        self.snapshots = content["snapshots"]
        if best := content["best"]:
            self.best = Best(_epoch(best["epoch"]), best["weights"])


class Checkpoint:
    """The file that a training goes on from: the state after an epoch, behind its SHA-256.

    It is written at the end of an epoch once 20 s have passed since the last time, and when the training is cut off by
    an exception, such as Ctrl-C or SIGTERM raise: then with the state after the last whole epoch. Without a path there
    is none.
    """

    def __init__(self, path: Path | None, state: TrainingState, device: Device) -> None:
        self.path, self.state, self.device = path, state, device
        self.written_at = monotonic()
        self.unwritten: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Go on from the file; from the start where there is none, one of another device or a damaged one.

        Raises `InputError` for one of another training.
        """
        if not self.path or not self.path.exists():
            return self
        try:
            content = _read(self.path, self.device)
        except ValueError as error:
            print(f"not resumed from {self.path}, which is {error}: training from the start", flush=True)
            return self
        try:
            self.state.restore(content)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0].removesuffix(":")
            raise InputError(f"{self.path} is the checkpoint of another training ({reason}): remove it") from None
        print(f"resumes after epoch {len(self.state.epochs)}", flush=True)
        return self

    def epoch_ended(self) -> None:
        if not self.path:
            return
        content = {"device": asdict(self.device), **self.state.content()}
        if monotonic() - self.written_at < EVERY_SECONDS:
            self.unwritten = copy.deepcopy(content)
            return
        self.unwritten = content  # until it is written, since that may be interrupted
        _write(self.path, content)
        self.unwritten = None
        self.written_at = monotonic()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and self.path and self.unwritten:
            _write(self.path, self.unwritten)


def epochs_in(path: Path) -> list[Epoch]:
    """Of a checkpoint, whatever device it is of; none where there is none that a training could go on from."""
    try:
        return [_epoch(epoch) for epoch in _load(path)["epochs"]]
    except (OSError, ValueError):
        return []


def _write(path: Path, content: dict[str, Any]) -> None:
    saved = io.BytesIO()
    torch.save(content, saved)
    with atomic_file(path) as partial, partial.open("wb") as file:
        file.write(hashlib.sha256(saved.getbuffer()).digest())
        file.write(saved.getbuffer())


def _read(path: Path, device: Device) -> dict[str, Any]:
    """Raises ValueError for a file that is not as it was written, or of another device."""
    content = _load(path)
    if content["device"] != asdict(device):
        raise ValueError(f"of a training on {Device(**content['device'])} and not on {device}")
    return content


def _load(path: Path) -> dict[str, Any]:
    found = path.read_bytes()
    if hashlib.sha256(found[DIGEST_BYTES:]).digest() != found[:DIGEST_BYTES]:
        raise ValueError("damaged")
    content: dict[str, Any] = torch.load(io.BytesIO(found[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    return content


def _epoch(content: dict[str, Any]) -> Epoch:
    parts = {part: Scores(**content[part]) if content[part] else None for part in ("train", "validation")}
    return Epoch(**content | parts)


def _rank(epoch: Epoch) -> tuple[float, float]:
    """Higher is better: the accuracy on the validation part, and where that is the same, the lower loss."""
    assert epoch.validation
    return epoch.validation.accuracy, -epoch.validation.loss
