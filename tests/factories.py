"""Small data, settings and results for the tests; what a test is about it gives itself."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reprolab.core.config import Experiment, Params
from reprolab.core.layout import DVC_COPIES
from reprolab.data.fetch import SourceData
from reprolab.data.parts import Part, SplitInfo, TrainingData
from reprolab.models.classifier import Classifier, build_classifier
from reprolab.models.folder import ModelInfo
from reprolab.training.device import Device
from reprolab.training.identity import Origin
from reprolab.training.outputs import save_model
from reprolab.training.record import Epoch, Fit, Scores

REPOSITORY = Path(__file__).parent.parent
CPU = Device("cpu", "float32", threads=1)

SPLIT: dict[str, Any] = {"validation": 0.1, "seed": 0}
TRAINING: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "optimizer": {"name": "sgd", "lr": 0.1},
    "seeds": [0],
}
EXPERIMENT: dict[str, Any] = {
    "dataset": "digits",
    "model": {"name": "mlp", "hidden": [8]},
    "init_from": "random",
    "input": {},
    "training": TRAINING,
}


# Settings

# The other sections of a params.yaml that has data sets alone.
NO_MORE = "".join(f"{section}: {{}}\n" for section in ("experiments", "comparisons", "studies", "contrasts"))


def experiment_settings(training: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A small experiment as params.yaml has it; `training` changes single keys of its section."""
    return deepcopy({**EXPERIMENT, **changes, "training": {**TRAINING, **(training or {})}})


def make_experiment(training: Mapping[str, Any] | None = None, **changes: Any) -> Experiment:
    return Experiment.model_validate(experiment_settings(training, **changes))


def params_settings(
    experiments: Mapping[str, Mapping[str, Any]], comparisons: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The document with these experiments, given by what is particular of each, and a data set for each they name."""
    entries = {name: experiment_settings(**changes) for name, changes in experiments.items()}
    datasets = {entry["dataset"]: {"source": {"name": "digits"}, "split": dict(SPLIT)} for entry in entries.values()}
    sections = {"datasets": datasets, "experiments": entries, "comparisons": dict(comparisons or {})}
    return {**sections, "studies": {}, "contrasts": {}}


def make_params(
    experiments: Mapping[str, Mapping[str, Any]], comparisons: Mapping[str, Mapping[str, Any]] | None = None
) -> Params:
    """The parameters that `params_settings` writes out."""
    return Params.model_validate(params_settings(experiments, comparisons))


# Data


def make_source(per_class: int = 20, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 3) -> SourceData:
    """Images of `classes` that a small network can learn: noise, brighter in the class's own rows."""
    generator = np.random.default_rng(0)
    labels = np.arange(classes).repeat(per_class)
    images = generator.integers(0, 100, (2 * len(labels), *shape), dtype=np.uint8)
    both = np.concatenate([labels, labels])
    for index, label in enumerate(both):
        images[index, :, 2 * label : 2 * label + 2] += 150
    half = len(labels)
    names = tuple(f"class {index}" for index in range(classes))
    return SourceData(images[:half], labels, images[half:], labels, names, "official")


def with_training_part(source: SourceData, numbers: np.ndarray) -> SourceData:
    """A source whose training part has the examples with these numbers, again where one is repeated."""
    return replace(source, train_inputs=source.train_inputs[numbers], train_labels=source.train_labels[numbers])


def make_split_info(shape: Sequence[int] = (1, 8, 8), classes: int = 3, **changes: Any) -> SplitInfo:
    """A split of inputs of this shape, with the same statistics in every channel or feature."""
    known = {
        "dataset": "noise",
        "provenance": "official",
        "classes": [f"class {index}" for index in range(classes)],
        "shape": list(shape),
        "mean": [0.5] * shape[0],
        "std": [0.25] * shape[0],
        "sizes": {"train": 48, "validation": 12, "test": 60},
        "sha256": {"train": "a1", "validation": "b2", "test": "c3"},
    }
    return SplitInfo.model_validate(known | changes)


def make_training_data(shape: Sequence[int] = (1, 8, 8), classes: int = 3, examples: int = 4) -> TrainingData:
    """Noise of this shape, the same examples to train on and to validate on."""
    generator = np.random.default_rng(0)
    inputs = (
        generator.integers(0, 256, (examples, *shape), dtype=np.uint8)
        if len(shape) == 3
        else generator.random((examples, *shape), dtype=np.float32)
    )
    part = Part(inputs, np.arange(examples) % classes)
    return TrainingData(make_split_info(shape, classes), part, part)


def make_points(examples: int) -> TrainingData:
    """Points of two classes, one on each side of the diagonal, with a gap between them, and none to validate on."""
    points = np.random.default_rng(0).random((examples, 2), dtype=np.float32)
    labels = (points[:, 0] > points[:, 1]).astype(np.int64)
    points[:, 0] += np.where(labels == 1, 0.2, -0.2)
    return TrainingData(make_split_info([2], classes=2, dataset="points"), Part(points, labels), None)


def images_of(part: Part) -> list[bytes]:
    return [image.tobytes() for image in part.inputs]


# Results of a training


def make_scores(**changes: float) -> Scores:
    return Scores(**{"loss": 0.5, "accuracy": 0.75, "macro_f1": 0.7, **changes})


def make_epoch(number: int = 1, train: Scores | None = None, validation: Scores | None = None) -> Epoch:
    """An epoch of two seconds and sixty images, without a validation part unless its scores are given."""
    return Epoch(number, train or make_scores(), validation, learning_rate=0.1, seconds=2.0, images_per_second=30.0)


def make_fit(
    *epochs: Epoch, best: int = -1, classifier: Classifier | None = None, losses: Sequence[float] = (0.5,)
) -> Fit:
    """A training of these epochs, by default one; `best` is the place of the best one among them."""
    epochs = epochs or (make_epoch(),)
    return Fit(classifier or make_classifier(), CPU, list(epochs), epochs[best], list(losses), {})


def make_origin(seed: int = 0, **changes: Any) -> Origin:
    """Of a training that is not looked into."""
    known = {"parameters": {}, "data": "d" * 64, "pretrained": "", "modules": {"reprolab.training.run": "c" * 64}}
    return Origin.model_validate(known | {"seed": seed} | changes)


def make_model_info(
    experiment: Experiment | None = None, split: SplitInfo | None = None, name: str = "small"
) -> ModelInfo:
    return ModelInfo(name=name, experiment=experiment or make_experiment(), split=split or make_split_info())


def make_classifier(info: ModelInfo | None = None, seed: int = 0) -> Classifier:
    """Freshly drawn from the seed."""
    info = info or make_model_info()
    torch.manual_seed(seed)
    return build_classifier(info.experiment, info.split)


def save_untrained(folder: Path, info: ModelInfo, seeds: Sequence[int] = (0,)) -> dict[int, Classifier]:
    """Write a model's folder, with a freshly drawn classifier for each seed; they come back."""
    classifiers = {seed: make_classifier(info, seed) for seed in seeds}
    save_model(folder, info, {seed: make_fit(classifier=classifier) for seed, classifier in classifiers.items()})
    return classifiers


# A workspace


def use(folder: Path, patch: pytest.MonkeyPatch, uri: str = "") -> Path:
    """Make `folder/root` the repository's root, and a copy of DVC's for an experiment the working directory."""
    copy = folder / "root" / DVC_COPIES / "elsewhere"
    copy.mkdir(parents=True, exist_ok=True)
    patch.chdir(copy)
    # An empty one is none. MLflow sets it for its children; the patch takes it away again.
    patch.setenv("MLFLOW_TRACKING_URI", uri)
    return folder / "root"
