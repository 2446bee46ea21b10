"""Architectures against their origin: published numbers of parameters, and the same outputs as torchvision's."""

from typing import Any

import pytest
import torch
from torch import nn

from reprolab.core.config import Model
from reprolab.models.build import build_network


def build(model: dict[str, Any], shape: tuple[int, ...], classes: int = 10) -> nn.Module:
    return build_network(Model(**model), shape, classes)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ({"name": "resnet", "depth": 18}, 11_689_512),
        ({"name": "resnet", "depth": 50}, 25_557_032),
        ({"name": "alexnet"}, 61_100_840),
        ({"name": "vgg16"}, 138_357_544),
        ({"name": "vgg16", "batch_norm": True}, 138_365_992),
        ({"name": "googlenet"}, 6_624_904),
        ({"name": "densenet121"}, 7_978_856),
        ({"name": "mobilenet_v2"}, 3_504_872),
        ({"name": "efficientnet_b0"}, 5_288_548),
        ({"name": "efficientnet_lite0"}, 4_652_008),
        ({"name": "vit", "patch": 16, "layers": 12, "heads": 12, "width": 768}, 86_567_656),  # torchvision's vit_b_16
    ],
    ids=str,
)
def test_the_published_number_of_parameters_for_imagenet(model: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        assert count(build(model, (3, 224, 224), 1000)) == parameters


def test_resnet50_for_small_images_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert count(build({"name": "resnet", "depth": 50}, (3, 32, 32))) == 23_520_842


@pytest.fixture(scope="module")
def torchvision_alexnet() -> nn.Module:
    from torchvision.models import alexnet

    torch.manual_seed(0)
    network: nn.Module = alexnet(weights=None, num_classes=10).eval()
    return network


@pytest.mark.parametrize("side", [224, 100])
def test_alexnet_is_torchvision_s(side: int, torchvision_alexnet: nn.Module) -> None:
    with torch.device("meta"):
        network = build({"name": "alexnet"}, (3, side, side)).eval()
    network.load_state_dict(torchvision_alexnet.state_dict(), strict=True, assign=True)
    images = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        assert torch.equal(network(images), torchvision_alexnet(images))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("side", [224, 96])
def test_vgg16_is_torchvision_s(side: int, batch_norm: bool) -> None:
    model = {"name": "vgg16", "batch_norm": batch_norm}
    original = torchvision_vgg16(batch_norm)
    with torch.device("meta"):
        network = build(model, (3, side, side), 1000)
    assert shapes(network) == shapes(original)
    for part in ("features", "classifier"):
        pairs = zip(network.get_submodule(part).children(), original.get_submodule(part).children(), strict=True)
        assert all(isinstance(mine, type(theirs)) for mine, theirs in pairs)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("side", [32, 63])
def test_vgg16_for_small_images_has_one_linear_layer_after_the_same_convolutions(side: int, batch_norm: bool) -> None:
    with torch.device("meta"):
        network = build({"name": "vgg16", "batch_norm": batch_norm}, (1, side, side))
    found = shapes(torchvision_vgg16(batch_norm))
    expected = {name: shape for name, shape in found.items() if name.startswith("features.")}
    expected |= {"features.0.weight": (64, 1, 3, 3), "classifier.weight": (10, 512), "classifier.bias": (10,)}
    assert shapes(network) == expected


def torchvision_vgg16(batch_norm: bool) -> nn.Module:
    from torchvision.models import vgg16, vgg16_bn

    with torch.device("meta"):
        network: nn.Module = (vgg16_bn if batch_norm else vgg16)(weights=None)
    return network


@pytest.mark.parametrize("model", [{"name": "alexnet"}, {"name": "vgg16"}], ids=str)
def test_the_adaptive_pooling_is_left_out_where_the_map_fits(model: dict[str, Any]) -> None:
    with torch.device("meta"):
        fitting, other = build(model, (3, 224, 224)), build(model, (3, 256, 256))
    assert not any(isinstance(module, nn.AdaptiveAvgPool2d) for module in fitting.modules())
    assert any(isinstance(module, nn.AdaptiveAvgPool2d) for module in other.modules())


def test_an_mlp_starts_from_the_same_weights_as_its_layers_written_out() -> None:
    torch.manual_seed(3)
    network = build({"name": "mlp", "hidden": [5, 4], "activation": ["tanh", "relu"]}, (1, 4, 4), 3)
    torch.manual_seed(3)
    written = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    assert list(network.state_dict()) == list(written.state_dict())
    images = torch.randn(2, 1, 4, 4)
    assert torch.equal(network(images), written(images))
