"""The files of a model: what it is, and the weights of each of its seeds.

`model.json` says what the model is, `seed-<n>.safetensors` holds the weights of a seed, and
`seed-<n>-epochs.safetensors` those after every epoch where `training.snapshots` asks for them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import Record, atomic_file
from reprolab.core.layout import MODEL
from reprolab.data.parts import SplitInfo
from reprolab.models.classifier import Classifier, Weights, build_classifier


class ModelInfo(Record):
    """`model.json`: the experiment as trained, with its defaults, and its data."""

    made_by: ClassVar[str] = "dvc repro -f train@{folder}"

    name: str
    experiment: Experiment
    split: SplitInfo


def load_classifier(folder: Path, seed: int) -> Classifier:
    """Raises `InputError` when the folder lacks the seed's weights or they are damaged."""
    info = ModelInfo.load(folder / MODEL)
    classifier = build_classifier(info.experiment, info.split)
    weights = load_weights(folder, seed)
    try:
        classifier.load_state_dict(weights)
    except RuntimeError as error:
        raise _damaged(_weights_file(folder, seed), error) from None
    return classifier.eval()


def save_weights(folder: Path, seed: int, weights: Weights) -> None:
    save_tensors(_weights_file(folder, seed), weights)


def save_tensors(path: Path, tensors: Weights) -> None:
    """As safetensors, without metadata, whose order differs from one process to the next."""
    with atomic_file(path) as partial:
        save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, partial)


def load_weights(folder: Path, seed: int) -> Weights:
    """The weights of a seed's classifier. Raises `InputError` when they are missing or damaged."""
    path = _weights_file(folder, seed)
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro train@{folder.name}`") from None
    except SafetensorError as error:
        raise _damaged(path, error) from None


def save_snapshots(folder: Path, seed: int, snapshots: Mapping[int, Weights]) -> None:
    """Write the weights after each of some epochs."""
    tensors = {f"{epoch}/{name}": value for epoch, weights in snapshots.items() for name, value in weights.items()}
    save_tensors(_snapshots_file(folder, seed), tensors)


def load_snapshots(folder: Path, seed: int) -> dict[int, Weights]:
    """Weights by epoch, 0 being the start; empty where the experiment keeps none."""
    path = _snapshots_file(folder, seed)
    snapshots: dict[int, Weights] = {}
    for key, value in load_file(path).items() if path.exists() else ():
        epoch, name = key.split("/", 1)
        snapshots.setdefault(int(epoch), {})[name] = value
    return dict(sorted(snapshots.items()))


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is damaged ({error}): run `dvc repro -f train@{path.parent.name}`")


def _weights_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.safetensors"


def _snapshots_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}-epochs.safetensors"
