"""Training, validation and test parts that share no example, and their files.

A split is a folder with one safetensors file a part (`inputs` uint8, `labels` int64) and `split.json`.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from reprolab.config import SplitConfig
from reprolab.errors import InputError
from reprolab.files import read_json, write_json

if TYPE_CHECKING:
    import torch

    from reprolab.data.sources import SourceData

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """Examples of one part: inputs (n, channels, height, width) uint8, labels (n,) int64."""

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def on(self, device: str) -> "tuple[torch.Tensor, torch.Tensor]":
        """Inputs and labels as tensors on the device."""
        import torch

        return torch.from_numpy(self.inputs).to(device), torch.from_numpy(self.labels).to(device)

    def __add__(self, other: "Part") -> "Part":
        return Part(np.concatenate([self.inputs, other.inputs]), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True)
class SplitInfo:
    """`split.json`: what is known of a split without reading its examples.

    `mean` and `std` are those of the training part's channels, on a scale from 0 to 1. `sizes` counts the
    examples of each part, `sha256` is the hash of each part's content.
    """

    dataset: str
    provenance: str
    classes: list[str]
    shape: list[int]
    mean: list[float]
    std: list[float]
    sizes: dict[str, int]
    sha256: dict[str, str]


@dataclass(frozen=True)
class TrainingData:
    """What a training may see of a split: never the test part."""

    info: SplitInfo
    train: Part
    validation: Part | None


def make_split(source: "SourceData", config: SplitConfig) -> dict[str, Part]:
    """Stratify a validation part out of the training examples; the test part stays as published.

    Copies of one image go to the same part, so the validation part is counted in different images. Raises
    `InputError` when the test part shares an image with the training part, or when the validation part cannot
    hold every class.
    """
    refuse_contamination(source.train_inputs, source.test_inputs)
    groups: dict[bytes, int] = {}
    group = np.array([groups.setdefault(digest, len(groups)) for digest in _digests(source.train_inputs)])
    first_of_group = np.unique(group, return_index=True)[1]
    in_validation = _stratified_choice(source.train_labels[first_of_group], config)[group]
    train = Part(source.train_inputs[~in_validation], source.train_labels[~in_validation])
    held_out = Part(source.train_inputs[in_validation], source.train_labels[in_validation])
    return {"train": train, "validation": held_out, "test": Part(source.test_inputs, source.test_labels)}


def refuse_contamination(train: np.ndarray, test: np.ndarray) -> None:
    """Raises `InputError` when an example of `test` also stands in `train`, whatever its index."""
    known = {digest: index for index, digest in enumerate(_digests(train))}
    shared = [(index, known[digest]) for index, digest in enumerate(_digests(test)) if digest in known]
    if shared:
        shown = ", ".join(f"test {test_index} = train {train_index}" for test_index, train_index in shared[:10])
        more = f" and {len(shared) - 10} more" if len(shared) > 10 else ""
        raise InputError(
            f"contamination: {len(shared)} of {len(test)} test examples also stand in the training data "
            f"({shown}{more}). Remove them from one side: a test on them measures memory, not learning"
        )


def save_split(parts: dict[str, Part], source: "SourceData", dataset: str, folder: Path) -> SplitInfo:
    mean, std = _channel_statistics(parts["train"].inputs)
    info = SplitInfo(
        dataset=dataset,
        provenance=source.provenance,
        classes=list(source.classes),
        shape=list(source.train_inputs.shape[1:]),
        mean=mean,
        std=std,
        sizes={name: len(part) for name, part in parts.items()},
        sha256={name: _content_hash(part) for name, part in parts.items()},
    )
    for name, part in parts.items():
        arrays = {"inputs": np.ascontiguousarray(part.inputs), "labels": part.labels.astype(np.int64)}
        save_file(arrays, folder / f"{name}.safetensors")
    write_json(folder / "split.json", asdict(info))
    return info


def load_training_data(folder: Path, which: Literal["train", "train+validation"]) -> TrainingData:
    """The training part with its validation part, or both as one training part."""
    train, validation = load_part(folder, "train"), load_part(folder, "validation")
    if which == "train+validation":
        return TrainingData(load_info(folder), train + validation, None)
    return TrainingData(load_info(folder), train, validation)


def load_info(folder: Path) -> SplitInfo:
    """Raises `InputError` when `split.json` is missing or damaged."""
    try:
        return SplitInfo(**read_json(folder / "split.json"))
    except TypeError as error:
        raise InputError(
            f"{folder / 'split.json'} is damaged ({error}): run `dvc repro -f split@{folder.name}`"
        ) from None


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


def _stratified_choice(labels: np.ndarray, config: SplitConfig) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    size = config.validation if config.validation < 1 else int(config.validation)
    try:
        _, chosen = train_test_split(np.arange(len(labels)), test_size=size, random_state=config.seed, stratify=labels)
    except ValueError as error:
        raise InputError(
            f"split.validation: {config.validation:g} does not fit {len(labels)} different training examples ({error})"
        ) from None
    if missing := set(labels.tolist()) - set(labels[chosen].tolist()):
        raise InputError(
            f"split.validation: {config.validation:g} leaves no validation example for the class(es) {sorted(missing)}"
        )
    mask = np.zeros(len(labels), bool)
    mask[chosen] = True
    return mask


def _channel_statistics(inputs: np.ndarray) -> tuple[list[float], list[float]]:
    """Exact mean and standard deviation of each channel of uint8 images, on a scale from 0 to 1."""
    means, stds = [], []
    for channel in range(inputs.shape[1]):
        counts = np.bincount(inputs[:, channel].ravel(), minlength=256) / inputs[:, channel].size
        values = np.arange(256) / 255
        mean = float(counts @ values)
        means.append(round(mean, 6))
        stds.append(round(float(np.sqrt(counts @ (values - mean) ** 2)), 6))
    return means, stds


def _digests(inputs: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(example.tobytes()).digest() for example in inputs]


def _content_hash(part: Part) -> str:
    digest = hashlib.sha256(part.inputs.tobytes())
    digest.update(part.labels.tobytes())
    return digest.hexdigest()
