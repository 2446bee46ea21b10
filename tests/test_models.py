"""Every architecture: its shape, its parameters, its gradients, and that it can learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from reprolab.classifier import Classifier, ModelInfo, build_classifier, load_classifier, predict, save_model
from reprolab.config import Component, Experiment, load_params, module_names
from reprolab.data.splits import SplitInfo
from reprolab.errors import InputError
from reprolab.models import build_network
from tests.conftest import REPOSITORY

CASES: list[tuple[dict[str, Any], tuple[int, int, int], int]] = [
    ({"name": "lenet5"}, (1, 32, 32), 61_706),
    ({"name": "lenet5", "activation": "relu", "pooling": "max"}, (1, 28, 28), 44_426),
    ({"name": "lenet5", "activation": "relu", "pooling": "max", "padding": 2}, (1, 28, 28), 61_706),
    ({"name": "alexnet32"}, (3, 32, 32), 14_859_082),
    ({"name": "mlp", "hidden": [512, 512]}, (1, 28, 28), 669_706),
    ({"name": "mlp", "hidden": [64]}, (1, 8, 8), 4_810),
]
PARAMS = load_params(REPOSITORY / "params.yaml")


def info_for(shape: tuple[int, int, int], classes: int = 10) -> SplitInfo:
    channels = shape[0]
    return SplitInfo(
        "noise", "official", [str(i) for i in range(classes)], list(shape), [0.5] * channels, [0.25] * channels, {}, {}
    )


def test_every_model_has_a_case() -> None:
    assert {model["name"] for model, _, _ in CASES} == set(module_names("models"))


@pytest.mark.parametrize(("model", "shape", "parameters"), CASES)
def test_shape_parameters_and_gradients(model: dict[str, Any], shape: tuple[int, int, int], parameters: int) -> None:
    torch.manual_seed(0)
    network = build_network(Component.model_validate(model), shape, 10).eval()
    logits = network(torch.randn(2, *shape))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("model", "shape", "parameters"), CASES)
def test_it_learns_one_batch_by_heart(model: dict[str, Any], shape: tuple[int, int, int], parameters: int) -> None:
    torch.manual_seed(0)
    network = build_network(Component.model_validate(model), shape, 10)
    images, labels = torch.randn(4, *shape), torch.arange(4)
    optimizer = torch.optim.Adam(network.parameters(), 3e-4 if parameters > 1e7 else 3e-3)
    for _ in range(60):
        network.train()
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
        if (network.eval()(images).argmax(1) == labels).all():
            return
    pytest.fail("60 steps were not enough")


@pytest.mark.parametrize("name", PARAMS.experiments)
def test_every_experiment_scores_the_same_after_save_and_load(name: str, tmp_path: Path) -> None:
    experiment = PARAMS.experiment(name)
    info = info_for({"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}[experiment.dataset])
    torch.manual_seed(0)
    classifier = build_classifier(experiment, info)
    images = torch.randint(256, (7, *info.shape), dtype=torch.uint8)
    save_model(tmp_path, ModelInfo.of(name, experiment, info, "hash"), {3: classifier})
    assert torch.equal(predict(load_classifier(tmp_path, 3), images), predict(classifier, images))


def test_a_missing_or_damaged_weights_file_is_told(tmp_path: Path) -> None:
    experiment, info = PARAMS.experiment("digits-mlp"), info_for((1, 8, 8))
    save_model(tmp_path, ModelInfo.of("digits-mlp", experiment, info, "hash"), {0: build_classifier(experiment, info)})
    weights = tmp_path / "seed-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"seed-0.safetensors is damaged.*dvc repro -f train@digits-mlp"):
        load_classifier(tmp_path, 0)
    with pytest.raises(InputError, match=r"seed-1.safetensors is missing"):
        load_classifier(tmp_path, 1)


@pytest.mark.parametrize(
    "content", ["{}", '{"name": "x", "experiment": {"old": 1}, "split": {}, "inputs": ""}', "[", "3"]
)
def test_a_damaged_or_older_description_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model.json is"):
        load_classifier(tmp_path, 0)


@pytest.mark.parametrize("model", [{"name": "lenet5"}, {"name": "alexnet32"}])
def test_images_that_are_too_small_are_refused(model: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"\(1, 4, 4\): .* set input.size"):
        build_network(Component.model_validate(model), (1, 4, 4), 10)


def test_statistics_that_do_not_fit_the_channels_are_refused() -> None:
    grey_statistics = PARAMS.experiment("lenet5-relu")
    with pytest.raises(InputError, match=r"input.mean: found 1 number.*3 channel"):
        build_classifier(grey_statistics, info_for((3, 32, 32)))


def test_resizing_is_what_pillow_does() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) / 255
    classifier = Classifier(torch.nn.Identity(), [0.0], [1.0], (32, 32))
    prepared = classifier.prepare(torch.from_numpy(image)[None, None])
    assert prepared[0, 0].numpy() == pytest.approx(expected, abs=1 / 255)


def test_the_lookup_names_the_known_models() -> None:
    with pytest.raises(ValueError, match="allowed: alexnet32, lenet5, mlp"):
        Experiment.model_validate({**PARAMS.experiment("digits-mlp").model_dump(), "model": {"name": "nothing"}})
