"""Every architecture: its shape, its parameters, its gradients, and that it can learn."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from reprolab.classifier import Classifier, ModelInfo, build_classifier, load_classifier, save_model
from reprolab.config import Component, Experiment, load_params, module_names
from reprolab.data.splits import SplitInfo
from reprolab.errors import InputError
from reprolab.models import build_network
from tests.conftest import REPOSITORY


class Case(NamedTuple):
    """Options, input shape, number of parameters: published, or counted by hand from the layers."""

    model: dict[str, Any]
    shape: tuple[int, ...]
    parameters: int
    classes: int = 10

    def build(self) -> torch.nn.Module:
        return build_network(Component.model_validate(self.model), self.shape, self.classes)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Four examples of noise, and a label for each."""
        return torch.randn(4, *self.shape), torch.arange(4).clamp(max=self.classes - 1)


CASES = [
    Case({"name": "lenet5"}, (1, 32, 32), 61_706),
    Case({"name": "lenet5", "activation": "relu", "pooling": "max"}, (1, 28, 28), 44_426),
    Case({"name": "lenet5", "activation": "relu", "pooling": "max", "padding": 2}, (1, 28, 28), 61_706),
    Case({"name": "alexnet32"}, (3, 32, 32), 14_859_082),
    Case({"name": "mlp", "hidden": [512, 512]}, (1, 28, 28), 669_706),
    Case({"name": "mlp", "hidden": [64]}, (1, 8, 8), 4_810),
    Case({"name": "mlp", "hidden": []}, (1, 28, 28), 7_850),
    Case({"name": "mlp", "hidden": [50, 50, 50], "activation": ["tanh", "relu", "relu"]}, (1, 28, 28), 44_860),
    Case({"name": "mlp", "hidden": [50, 50]}, (4,), 2_953, classes=3),
    Case({"name": "mlp_classifier", "hidden": [20]}, (13,), 343, classes=3),
    Case({"name": "perceptron"}, (8,), 9, classes=2),
    Case({"name": "cnn"}, (1, 28, 28), 28_938),
    Case({"name": "alexnet", "channels": [64, 128, 256, 256, 256]}, (3, 224, 224), 56_278_666),
    Case({"name": "alexnet", "channels": [96, 256, 384, 384, 256], "padding": 0}, (3, 227, 227), 58_322_314),
    Case({"name": "alexnet", "channels": [16] * 5}, (3, 63, 63), 19_204_874),
    Case({"name": "resnet", "depth": 18}, (3, 32, 32), 11_173_962),
    Case({"name": "resnet", "depth": 50, "head": [1024, 512], "head_dropout": [0.5, 0.3]}, (3, 64, 64), 26_136_138),
    Case({"name": "vgg16"}, (3, 32, 32), 14_728_266),
    Case({"name": "nin"}, (3, 32, 32), 966_986),
    Case({"name": "googlenet"}, (3, 16, 16), 5_602_474),
    Case({"name": "densenet121"}, (3, 16, 16), 6_956_426),
    Case({"name": "mobilenet_v2"}, (3, 16, 16), 2_236_682),
    Case({"name": "efficientnet_b0"}, (3, 16, 16), 4_020_358),
    Case({"name": "vit"}, (3, 32, 32), 2_693_578),
]
PARAMS = load_params(REPOSITORY / "params.yaml")


def info_for(shape: tuple[int, int, int], classes: int = 10) -> SplitInfo:
    channels = shape[0]
    return SplitInfo(
        "noise", "official", [str(i) for i in range(classes)], list(shape), [0.5] * channels, [0.25] * channels, {}, {}
    )


def test_every_model_has_a_case() -> None:
    assert {case.model["name"] for case in CASES} == set(module_names("models"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shape_parameters_and_gradients(case: Case) -> None:
    torch.manual_seed(0)
    network = case.build().eval()
    inputs, labels = case.batch()
    logits = network(inputs)
    assert logits.shape == (4, case.classes)
    assert logits.isfinite().all()
    assert sum(parameter.numel() for parameter in network.parameters()) == case.parameters
    F.cross_entropy(logits, labels).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


# The alexnet with fewer channels stands for the large ones, which take a second a step.
@pytest.mark.parametrize("case", [case for case in CASES if case.parameters < 5e7], ids=str)
def test_it_learns_one_batch_by_heart(case: Case) -> None:
    torch.manual_seed(0)
    network = case.build()
    inputs, labels = case.batch()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the one batch are those of all data
        elif isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # learning by heart is what it hinders
    optimizer = torch.optim.Adam(network.parameters(), 3e-4 if case.parameters > 5e5 else 3e-3)
    for _ in range(60):
        network.train()
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
        if (network.eval()(inputs).argmax(1) == labels).all():
            return
    pytest.fail("60 steps were not enough")


def test_a_missing_or_damaged_weights_file_is_told(tmp_path: Path) -> None:
    experiment, info = PARAMS.experiment("digits-mlp"), info_for((1, 8, 8))
    folder = tmp_path / "digits-mlp"
    folder.mkdir()
    save_model(folder, ModelInfo.of("digits-mlp", experiment, info, "hash"), {0: build_classifier(experiment, info)})
    weights = folder / "seed-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"seed-0.safetensors is damaged.*dvc repro -f train@digits-mlp"):
        load_classifier(folder, 0)
    with pytest.raises(InputError, match=r"seed-1.safetensors is missing"):
        load_classifier(folder, 1)


@pytest.mark.parametrize(
    "content", ["{}", '{"name": "x", "experiment": {"old": 1}, "split": {}, "inputs": ""}', "[", "3"]
)
def test_a_damaged_or_older_description_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model.json is"):
        load_classifier(tmp_path, 0)


@pytest.mark.parametrize(
    ("model", "side"),
    [
        ({"name": "lenet5"}, 16),
        ({"name": "lenet5", "padding": 2}, 12),
        ({"name": "alexnet32"}, 8),
        ({"name": "alexnet", "channels": [8] * 5}, 63),
        ({"name": "alexnet", "channels": [8] * 5, "padding": 0}, 67),
        ({"name": "cnn"}, 4),
        ({"name": "resnet", "depth": 18}, 8),
        ({"name": "vgg16"}, 32),
        ({"name": "nin"}, 8),
        ({"name": "googlenet"}, 8),
        ({"name": "densenet121"}, 8),
        ({"name": "mobilenet_v2"}, 8),
        ({"name": "efficientnet_b0"}, 8),
        ({"name": "vit", "patch": 4, "layers": 1}, 4),
    ],
    ids=str,
)
def test_images_that_are_too_small_are_refused_and_the_smallest_are_not(model: dict[str, Any], side: int) -> None:
    named = Component.model_validate(model)
    with torch.device("meta"):
        with pytest.raises(InputError, match=rf"\(1, {side - 1}, {side - 1}\): .* set input.size"):
            build_network(named, (1, side - 1, side - 1), 10)
        assert build_network(named, (1, side, side), 10)(torch.empty(2, 1, side, side)).shape == (2, 10)


@pytest.mark.parametrize(
    "case", [case for case in CASES if len(case.shape) == 3 and case.model["name"] != "mlp"], ids=str
)
def test_tables_are_refused_where_images_are_needed(case: Case) -> None:
    with pytest.raises(InputError, match=r"inputs of shape \(4,\): it needs images"):
        case._replace(shape=(4,)).build()


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
    with pytest.raises(ValueError, match="allowed: alexnet, alexnet32, cnn, densenet121, "):
        Experiment.model_validate({**PARAMS.experiment("digits-mlp").model_dump(), "model": {"name": "nothing"}})
