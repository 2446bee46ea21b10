"""Single architectures: published parameter counts, torchvision's outputs, heads, options, ImageNet weights."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from reprolab.config import Component
from reprolab.errors import InputError
from reprolab.models import Head, build_network, head_of, imagenet_weights
from tests.test_models import CASES, Case


def build(model: dict[str, Any], shape: tuple[int, ...], classes: int = 10) -> nn.Module:
    return build_network(Component.model_validate(model), shape, classes)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ({"name": "resnet", "depth": 18}, 11_689_512),
        ({"name": "resnet", "depth": 50}, 25_557_032),
        ({"name": "alexnet"}, 61_100_840),
        ({"name": "vgg16"}, 138_365_992),
        ({"name": "googlenet"}, 6_624_904),
        ({"name": "densenet121"}, 7_978_856),
        ({"name": "mobilenet_v2"}, 3_504_872),
        ({"name": "efficientnet_b0"}, 5_288_548),
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


@pytest.mark.parametrize("side", [224, 100])
def test_alexnet_is_torchvision_s(side: int) -> None:
    from torchvision.models import alexnet

    torch.manual_seed(0)
    original = alexnet(weights=None, num_classes=10).eval()
    network = build({"name": "alexnet"}, (3, side, side)).eval()
    network.load_state_dict(original.state_dict(), strict=True)
    images = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        assert torch.equal(network(images), original(images))


@pytest.mark.parametrize("side", [224, 96])
def test_vgg16_is_torchvision_s(side: int) -> None:
    from torchvision.models import vgg16_bn

    with torch.device("meta"):
        original, network = vgg16_bn(weights=None), build({"name": "vgg16"}, (3, side, side), 1000)
    layers = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert layers == {key: tuple(value.shape) for key, value in original.state_dict().items()}
    for part in ("features", "classifier"):
        pairs = zip(network.get_submodule(part).children(), original.get_submodule(part).children(), strict=True)
        assert all(type(mine) is type(theirs) for mine, theirs in pairs)


@pytest.mark.parametrize(
    ("model", "shape"), [({"name": "alexnet"}, (3, 224, 224)), ({"name": "vgg16"}, (3, 224, 224))], ids=str
)
def test_the_adaptive_pooling_is_left_out_where_the_map_fits(model: dict[str, Any], shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        assert not any(isinstance(module, nn.AdaptiveAvgPool2d) for module in build(model, shape).modules())


@pytest.mark.parametrize(
    ("model", "last_map"),
    [
        ({"name": "resnet", "depth": 18}, "layer4"),
        ({"name": "googlenet"}, "inception5b"),
        ({"name": "densenet121"}, "features"),
        ({"name": "mobilenet_v2"}, "features"),
        ({"name": "efficientnet_b0"}, "features"),
    ],
    ids=str,
)
@pytest.mark.parametrize(("side", "map_side"), [(32, 4), (64, 2), (224, 7)])
def test_the_small_form_keeps_four_pixels_and_takes_grey_images(
    model: dict[str, Any], last_map: str, side: int, map_side: int
) -> None:
    sizes = []
    with torch.device("meta"):
        network = build(model, (1, side, side))
        network.get_submodule(last_map).register_forward_hook(lambda *call: sizes.append(tuple(call[2].shape[2:])))
        network(torch.empty(2, 1, side, side))
    assert sizes == [(map_side, map_side)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_head_is_what_makes_the_logits(case: Case) -> None:
    called: list[Any] = []
    with torch.device("meta" if case.parameters > 1e6 else "cpu"):
        network = case.build().eval()
        for module in network.modules():
            if next(module.parameters(recurse=False), None) is not None and not list(module.children()):
                module.register_forward_hook(lambda module, *_: called.append(module))
        network(torch.zeros(2, *case.shape))
    assert called[-1].weight.shape[0] == (1 if case.classes == 2 else case.classes)  # for two classes (0, z)
    head = head_of(network)
    assert called[-1] is (head[-1] if isinstance(head, Head) else head)
    assert isinstance(head, Head) == ("head" in case.model)


def test_a_head_of_several_layers_replaces_the_last_one_alone() -> None:
    plain = {"name": "resnet", "depth": 50}
    with torch.device("meta"):
        body = {key for key in build(plain, (3, 224, 224)).state_dict() if not key.startswith("fc.")}
        network = build({**plain, "head": [1024, 512], "head_dropout": [0.5, 0.3]}, (3, 224, 224))
    assert {key for key in network.state_dict() if not key.startswith("fc.")} == body
    expected = "Linear ReLU Dropout(p=0.5) Linear ReLU Dropout(p=0.3) Linear"
    layers = network.get_submodule("fc").children()
    names = [f"Dropout(p={layer.p})" if isinstance(layer, nn.Dropout) else type(layer).__name__ for layer in layers]
    assert " ".join(names) == expected


def test_an_mlp_starts_from_the_same_weights_as_its_layers_written_out() -> None:
    torch.manual_seed(3)
    network = build({"name": "mlp", "hidden": [5, 4], "activation": ["tanh", "relu"]}, (1, 4, 4), 3)
    torch.manual_seed(3)
    written = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    assert list(network.state_dict()) == list(written.state_dict())
    images = torch.randn(2, 1, 4, 4)
    assert torch.equal(network(images), written(images))


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        ({"name": "mlp", "hidden": [5, 5], "activation": ["relu"]}, (4,), "activation lists 1 of them for 2 hidden"),
        ({"name": "mlp", "hidden": [5], "activation": "gelu"}, (4,), r"^model.activation: found 'gelu'; it should be"),
        ({"name": "mlp", "hidden": [5], "activation": ["gelu"]}, (4,), r"^model.activation: found \['gelu'\]; it"),
        ({"name": "mlp", "hidden": [0]}, (4,), r"^model.hidden.0: found 0"),
        ({"name": "alexnet", "channels": [64]}, (3, 224, 224), r"^model.channels: found \[64\]; it .*5 items"),
        ({"name": "cnn", "dropout": 1.5}, (1, 28, 28), "dropout .*between 0 and 1"),
        ({"name": "resnet"}, (3, 32, 32), "^model.depth: this option of 'resnet' is missing"),
        ({"name": "resnet", "depth": 34}, (3, 32, 32), "^model.depth: found 34; it should be 18 or 50"),
        ({"name": "resnet", "depth": 18, "head": [8], "head_dropout": [0.1, 0.2]}, (3, 32, 32), "has 2 .* for 1 layer"),
        ({"name": "resnet", "depth": 18, "head_dropout": [0.1]}, (3, 32, 32), "has 1 .* for 0 layer"),
        ({"name": "vit", "heads": 5}, (3, 32, 32), "multiple of its heads: found width 192 and heads 5"),
        ({"name": "vit"}, (3, 32, 36), "needs square images"),
        ({"name": "perceptron"}, (2,), "two classes apart, found 10"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_told(model: dict[str, Any], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(model, shape)


def test_imagenet_weights_are_named() -> None:
    for model, name in (
        ({"name": "alexnet", "dropout": 0.2}, "AlexNet_Weights.IMAGENET1K_V1"),
        ({"name": "resnet", "depth": 18}, "ResNet18_Weights.IMAGENET1K_V1"),
        ({"name": "resnet", "depth": 50, "head": [9]}, "ResNet50_Weights.IMAGENET1K_V1"),
    ):
        assert str(imagenet_weights(Component.model_validate(model))) == name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "nin"}, "^model.name: 'nin' has no ImageNet weights; allowed: alexnet, resnet; or set init_from: r"),
        ({"name": "alexnet", "padding": 0}, "^model.padding: found 0, .* need 2; .* or set init_from: random"),
        ({"name": "alexnet", "channels": [1] * 5}, r"^model.channels: found \[1, .* need \[64, 192, 384, 256, 256\]"),
        ({"name": "resnet", "dept": 18}, "^model.dept: unknown option of 'resnet'"),
    ],
    ids=str,
)
def test_imagenet_weights_that_do_not_fit_are_told(model: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        imagenet_weights(Component.model_validate(model))


def test_torchvision_and_scikit_learn_are_imported_by_those_who_build_with_them() -> None:
    # They take seconds, and every training checks the options of every experiment.
    code = (
        "import importlib, sys, torch\n"
        "from reprolab.config import module_names\n"
        "modules = {name: importlib.import_module(f'reprolab.models.{name}') for name in module_names('models')}\n"
        "torch.set_default_device('meta')\n"
        "modules['mlp_classifier'].build((4,), 2, hidden=[3])\n"
        "for name in ('alexnet', 'alexnet32', 'cnn', 'lenet5', 'nin', 'vgg16'): modules[name].build((3, 96, 96), 10)\n"
        "print({'torchvision', 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout == "set()\n", found.stderr
