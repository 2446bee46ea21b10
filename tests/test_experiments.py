"""Every experiment of params.yaml trains two steps on a small stand-in of its data."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from reprolab.classifier import ModelInfo, build_classifier, load_classifier, predict, save_model
from reprolab.config import IMAGENET, RANDOM, Experiment, load_params
from reprolab.data.splits import Part, SplitInfo, TrainingData
from reprolab.device import Device
from reprolab.initial import initial_weights
from reprolab.models import FitsItself, imagenet_weights
from reprolab.training import fit
from tests.conftest import REPOSITORY

PARAMS = load_params(REPOSITORY / "params.yaml")
SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "digits": ((1, 8, 8), 10),
    "digits100": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "mnist900": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "points": ((2,), 2),
    "wine": ((11,), 2),
    "iris": ((4,), 3),
}


def stand_in(dataset: str) -> TrainingData:
    """Four random examples of the data set's shape."""
    shape, classes = SHAPES[dataset]
    generator = np.random.default_rng(0)
    inputs = (
        generator.integers(0, 256, (4, *shape), dtype=np.uint8)
        if len(shape) == 3
        else generator.random((4, *shape), dtype=np.float32)
    )
    labels = np.arange(4) % classes
    statistics = [0.5] * shape[0]
    names = [str(index) for index in range(classes)]
    info = SplitInfo(dataset, "official", names, list(shape), statistics, statistics, {}, {})
    return TrainingData(info, Part(inputs, labels), Part(inputs, labels))


def of_two_steps(experiment: Experiment) -> Experiment:
    training = experiment.training.model_copy(
        update={"epochs": 1, "batch_size": 2, "schedule": None, "seeds": (0,), "data": "train"}
    )
    return experiment.model_copy(update={"training": training})


def provide_start(name: str, data: TrainingData, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `init_from` names: another experiment with random weights, or a file in the place of ImageNet's."""
    experiment = PARAMS.experiment(name)
    if experiment.init_from == IMAGENET:
        entry = imagenet_weights(experiment.model)
        network = {"alexnet": "alexnet", "resnet": f"resnet{experiment.model.options.get('depth')}"}
        import torchvision

        cache = folder / "torch" / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
        torch.save(torchvision.models.get_model(network[experiment.model.name]).state_dict(), cache / "weights.pth")
        with (cache / "weights.pth").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        (cache / "weights.pth").rename(cache / f"x-{digest[:8]}.pth")
        monkeypatch.setattr(type(entry), "url", f"http://127.0.0.1:9/x-{digest[:8]}.pth", raising=False)
    elif experiment.init_from != RANDOM:
        donor = PARAMS.experiment(experiment.init_from)
        seed = donor.training.seeds[0]
        info = stand_in(donor.dataset).info
        donors = {seed: build_classifier(donor, info)}
        save_model(folder / experiment.init_from, ModelInfo.of(experiment.init_from, donor, info, "hash"), donors)
    return folder / experiment.init_from


@pytest.mark.parametrize("name", PARAMS.experiments)
def test_two_steps_and_the_same_scores_after_save_and_load(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = of_two_steps(PARAMS.experiment(name))
    data = stand_in(experiment.dataset)
    torch.manual_seed(0)
    start = provide_start(name, data, tmp_path, monkeypatch)
    initial = initial_weights(experiment, start)
    assert (initial is None) == (experiment.init_from == RANDOM)
    fitted = fit(experiment, data, 0, Device("cpu", "float32"), tmp_path / "run.pt", initial=initial)
    by_library = isinstance(fitted.classifier.network, FitsItself)
    assert len(fitted.losses) == (1 if by_library else 2)
    assert fitted.history[0].train["loss"] > 0
    inputs = torch.from_numpy(data.train.inputs)
    logits = predict(fitted.classifier, inputs)
    assert logits.shape == (4, SHAPES[experiment.dataset][1]) and logits.isfinite().all()
    save_model(tmp_path / name, ModelInfo.of(name, experiment, data.info, "hash"), {0: fitted.classifier})
    assert torch.equal(predict(load_classifier(tmp_path / name, 0), inputs), logits)
