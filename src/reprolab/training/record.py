"""What a training leaves behind, as types: its epochs, its result, and the rows of its files.

Without PyTorch, so that who only reads these files starts fast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from reprolab.core.errors import InputError
from reprolab.core.files import Record

if TYPE_CHECKING:
    from reprolab.core.config import Experiment
    from reprolab.data.parts import TrainingData
    from reprolab.models.classifier import Classifier, Weights
    from reprolab.training.device import Device

PartName = Literal["train", "validation"]


@dataclass(frozen=True)
class Scores:
    """Cross-entropy, accuracy, and F1 as the classes' unweighted mean."""

    loss: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Epoch:
    """Scores after one epoch; those of training are taken as its batches go by.

    The learning rate and the time are known to who trained, and are None where only the files of the result are here.
    """

    number: int
    train: Scores
    validation: Scores | None
    learning_rate: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True)
class Start:
    """A seed's training before its first step: the classifier on its device, for a resolved experiment."""

    classifier: "Classifier"
    device: "Device"
    experiment: "Experiment"
    data: "TrainingData"
    seed: int


@dataclass(frozen=True)
class Fit:
    """The trained classifier of one seed, every epoch, the best one, whose weights it has, the loss of every step, and
    the weights by epoch where the experiment asks for them."""

    classifier: "Classifier"
    device: "Device"
    epochs: list[Epoch]
    best: Epoch
    losses: list[float]
    snapshots: "dict[int, Weights]"


class CurvePoint(Record):
    """A row of `curves.csv`: the scores of one seed on one part after one epoch."""

    made_by: ClassVar[str] = "dvc repro -f train@{folder}"

    seed: int
    epoch: int
    part: PartName
    loss: float
    accuracy: float
    macro_f1: float


class StepLoss(Record):
    """A row of `steps.csv`: the loss of one batch; steps are counted through the whole training."""

    made_by: ClassVar[str] = "dvc repro -f train@{folder}"

    seed: int
    step: int
    loss: float


class TrainRecord(Record):
    """`train.json`: scores at the best epochs, as means over the seeds with their standard deviation; on what the seeds
    were trained, several values where they differ; the identity of each seed's training."""

    made_by: ClassVar[str] = "dvc repro -f train@{folder}"

    train_loss: float
    train_loss_std: float | None = None
    train_accuracy: float
    train_accuracy_std: float | None = None
    train_macro_f1: float
    train_macro_f1_std: float | None = None
    validation_loss: float | None = None
    validation_loss_std: float | None = None
    validation_accuracy: float | None = None
    validation_accuracy_std: float | None = None
    validation_macro_f1: float | None = None
    validation_macro_f1_std: float | None = None
    best_epochs: list[int]
    device: str
    precision: str
    # None in files of earlier versions
    threads: str | None = None
    identities: list[str] | None = None

    def best_scores(self) -> dict[str, float]:
        """Those on the training and the validation part."""
        return {name: value for name, value in self.model_dump().items() if name.startswith(("train_", "validation_"))}

    @classmethod
    def load_identities(cls, path: Path, seeds: Sequence[int]) -> dict[int, str]:
        """By seed, from the file `path`. Raises `InputError` where it is missing, damaged, or one of other seeds."""
        identities = cls.load(path).identities or []
        if len(identities) != len(seeds):
            command = cls.made_by.format(folder=path.parent.name)
            raise InputError(f"{path} does not have an identity for each seed: run `{command}`")
        return dict(zip(seeds, identities, strict=True))


def mean_and_deviation(scores: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over the seeds; with several seeds also the sample standard deviation."""
    summary = {}
    for name in next(iter(scores.values())):
        values = np.array([score[name] for score in scores.values()])
        summary[name] = round(float(values.mean()), 6)
        if len(values) > 1:
            summary[f"{name}_std"] = round(float(values.std(ddof=1)), 6)
    return summary
