"""The parts of a split, as arrays and as files.

A split is a folder with one safetensors file a part (`inputs` uint8 or float32, `labels` int64) and `split.json`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from reprolab.core.errors import InputError
from reprolab.core.files import Record
from reprolab.core.layout import SPLIT

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Part:
    """Images (n, channels, height, width) uint8 or rows (n, features) float32, and labels (n,) int64."""

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def on(self, device: str) -> "tuple[torch.Tensor, torch.Tensor]":
        """Inputs and labels as tensors on the device."""
        import torch

        return torch.from_numpy(self.inputs).to(device), torch.from_numpy(self.labels).to(device)

    def __getitem__(self, chosen: np.ndarray) -> "Part":
        """The examples where the mask `chosen` (n,) is true."""
        return Part(self.inputs[chosen], self.labels[chosen])

    def __add__(self, other: "Part") -> "Part":
        return Part(np.concatenate([self.inputs, other.inputs]), np.concatenate([self.labels, other.labels]))


class SplitInfo(Record):
    """`split.json`: what is known of a split without reading its examples.

    `shape` is (channels, height, width) or (features,). `mean` and `std` are those of the training part: of each
    channel on a scale from 0 to 1, or of each feature in its own unit, where a constant one has the `std` 1.
    `sizes` counts the examples of each part, `sha256` is the hash of each part's content.
    """

    made_by: ClassVar[str] = "dvc repro -f split@{folder}"

    dataset: str
    provenance: str
    classes: list[str]
    shape: list[int]
    mean: list[float]
    std: list[float]
    sizes: dict[str, int]
    sha256: dict[str, str]

    @property
    def holds_images(self) -> bool:
        return len(self.shape) == 3


@dataclass(frozen=True)
class TrainingData:
    """What a training may see of a split: never the test part."""

    info: SplitInfo
    train: Part
    validation: Part | None


def load_training_data(folder: Path, which: Literal["train", "train+validation"]) -> TrainingData:
    """The training part with its validation part, where there is one, or both as one training part.

    Raises `InputError` when a file is missing or damaged, or when there is no validation part to join.
    """
    info = SplitInfo.load(folder / SPLIT)
    train = load_part(folder, "train")
    if "validation" not in info.sizes:
        if which == "train+validation":
            raise InputError(f"training.data: '{info.dataset}' has no validation part to join; remove this key")
        return TrainingData(info, train, None)
    validation = load_part(folder, "validation")
    if which == "train+validation":
        return TrainingData(info, train + validation, None)
    return TrainingData(info, train, validation)


def load_part(folder: Path, name: str) -> Part:
    """Raises `InputError` when the file is missing or damaged."""
    path = folder / f"{name}.safetensors"
    try:
        arrays = load_file(path)
        return Part(arrays["inputs"], arrays["labels"])
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro split@{folder.name}`") from None
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}): run `dvc repro -f split@{folder.name}`") from None
