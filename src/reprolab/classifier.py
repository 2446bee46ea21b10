"""A network with the preparation of its input, and its files.

A model is a folder: `model.json` says what it is, `seed-<n>.safetensors` holds the weights of each seed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from reprolab.config import Experiment
from reprolab.data.splits import SplitInfo
from reprolab.errors import InputError
from reprolab.files import read_json, write_json
from reprolab.models import build_network

PREDICTION_BATCH = 500


class Classifier(nn.Module):
    """From stored images (n, channels, height, width) uint8 to logits (n, classes) float32."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, mean: list[float], std: list[float], size: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Scale to 0–1, resize, normalise."""
        scaled = images.float() / 255
        if tuple(images.shape[-2:]) != self.size:
            scaled = F.interpolate(scaled, self.size, mode="bilinear", antialias=True)
        return (scaled - self.mean) / self.std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(self.prepare(images).contiguous(memory_format=torch.channels_last))
        return logits.float()


def build_classifier(experiment: Experiment, info: SplitInfo) -> Classifier:
    """A freshly initialised classifier, with its weights channels-last, which is faster on CPUs and GPUs.

    Raises `InputError` when the experiment does not fit the data.
    """
    channels, height, width = info.shape
    mean, std = experiment.input.mean, experiment.input.std
    if mean and len(mean) != channels:
        raise InputError(
            f"input.mean: found {len(mean)} number(s), but the images of '{info.dataset}' have {channels} channel(s)"
        )
    size = (experiment.input.size, experiment.input.size) if experiment.input.size else (height, width)
    network = build_network(experiment.model, (channels, *size), len(info.classes))
    classifier = Classifier(network, list(mean or info.mean), list(std or info.std), size)
    return classifier.to(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(classifier: Classifier, images: torch.Tensor) -> torch.Tensor:
    """Logits (n, classes) in float32 for images of any number, on the images' device."""
    classifier.eval()
    return torch.cat([classifier(batch) for batch in images.split(PREDICTION_BATCH)])


@dataclass(frozen=True)
class ModelInfo:
    """`model.json`: the experiment as trained, its data, and `inputs`, the identity of the training."""

    name: str
    experiment: dict[str, Any]
    split: dict[str, Any]
    inputs: str

    @classmethod
    def of(cls, name: str, experiment: Experiment, split: SplitInfo, inputs: str) -> "ModelInfo":
        return cls(name, experiment.model_dump(mode="json"), asdict(split), inputs)


def save_model(folder: Path, info: ModelInfo, classifiers: Mapping[int, Classifier]) -> None:
    """Write what the model is, and the weights of each seed's classifier."""
    write_json(folder / "model.json", asdict(info))
    for seed, classifier in classifiers.items():
        save_file(
            {key: value.contiguous().cpu() for key, value in classifier.state_dict().items()}, _weights(folder, seed)
        )


def load_model_info(folder: Path) -> tuple[ModelInfo, Experiment, SplitInfo]:
    """What `model.json` says, and its two sections as types. Raises `InputError` when it is missing or damaged."""
    path = folder / "model.json"
    try:
        info = ModelInfo(**read_json(path))
        return info, Experiment.model_validate(info.experiment), SplitInfo(**info.split)
    except (TypeError, ValidationError):
        advice = f"run `dvc repro -f train@{folder.name}`"
        raise InputError(f"{path} is damaged, or of another version of reprolab: {advice}") from None


def load_classifier(folder: Path, seed: int) -> Classifier:
    """Raises `InputError` when the folder lacks the seed's weights or they are damaged."""
    info, experiment, split = load_model_info(folder)
    classifier = build_classifier(experiment, split)
    path = _weights(folder, seed)
    try:
        classifier.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro train@{info.name}`") from None
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{path} is damaged ({error}): run `dvc repro -f train@{info.name}`") from None
    return classifier.eval()


def _weights(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.safetensors"
