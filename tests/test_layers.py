"""What architectures share: heads, first layers for small images, and the least size of an image."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from reprolab.core.config import Model
from reprolab.models.build import build_network
from reprolab.models.layers import Head, fit_first_layers, head_of, layers_with_weights, require_pixels


def build(model: dict[str, Any], shape: tuple[int, ...]) -> nn.Module:
    return build_network(Model(**model), shape, 10)


def two_stages(second: nn.Module) -> nn.Module:
    """The first layers of a network for colour images of 224 pixels; `second` shrinks once more."""
    return nn.Sequential(OrderedDict(first=nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False), second=second))


def convolution(network: nn.Module) -> nn.Conv2d:
    first = network.get_submodule("first")
    assert isinstance(first, nn.Conv2d)
    return first


@pytest.mark.parametrize("shape", [(3, 64, 64), (3, 224, 224), (3, 64, 300)])
def test_large_images_in_colour_leave_the_first_layers_as_they_are(shape: tuple[int, int, int]) -> None:
    network = two_stages(nn.MaxPool2d(2))
    before = (network.get_submodule("first"), network.get_submodule("second"))
    fit_first_layers(network, shape, "first", "second")
    assert (network.get_submodule("first"), network.get_submodule("second")) == before


@pytest.mark.parametrize(("channels", "side"), [(1, 224), (4, 64)])
def test_other_channels_change_the_first_convolution_alone(channels: int, side: int) -> None:
    network = two_stages(nn.MaxPool2d(2))
    fit_first_layers(network, (channels, side, side), "first", "second")
    first = convolution(network)
    assert (first.in_channels, first.out_channels, first.kernel_size, first.stride) == (channels, 4, (7, 7), (2, 2))
    assert isinstance(network.get_submodule("second"), nn.MaxPool2d)
    assert network(torch.zeros(1, channels, side, side)).shape == (1, 4, side // 4, side // 4)


@pytest.mark.parametrize("shape", [(3, 63, 63), (1, 32, 32), (3, 300, 63)])
def test_small_images_keep_their_size_and_a_pooling_is_left_out(shape: tuple[int, int, int]) -> None:
    network = two_stages(nn.MaxPool2d(2))
    fit_first_layers(network, shape, "first", "second")
    first = convolution(network)
    assert (first.kernel_size, first.stride, first.bias) == ((3, 3), (1, 1), None)
    assert isinstance(network.get_submodule("second"), nn.Identity)
    assert network(torch.zeros(1, *shape)).shape == (1, 4, *shape[1:])


def test_small_images_give_a_convolution_that_shrinks_the_stride_one_and_leave_its_weights() -> None:
    second = nn.Conv2d(4, 4, 3, stride=2, padding=1)
    network, weights = two_stages(second), second.weight.clone()
    fit_first_layers(network, (3, 32, 32), "first", "second")
    assert network.get_submodule("second") is second
    assert torch.equal(second.weight, weights)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 4, 32, 32)


def test_the_new_convolution_is_initialised_as_asked() -> None:
    network = two_stages(nn.MaxPool2d(2))
    fit_first_layers(network, (1, 32, 32), "first", "second", lambda weights: nn.init.constant_(weights, 0.5))
    assert convolution(network).weight.unique().tolist() == [0.5]
    torch.manual_seed(0)
    network = nn.Sequential(OrderedDict(first=nn.Conv2d(3, 512, 7, bias=False), second=nn.MaxPool2d(2)))
    fit_first_layers(network, (1, 32, 32), "first", "second")
    # He's: the standard deviation of √(2 / outgoing connections).
    assert convolution(network).weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    ("model", "last_map"),
    [
        ({"name": "resnet", "depth": 18}, "layer4"),
        ({"name": "googlenet"}, "inception5b"),
        ({"name": "densenet121"}, "features"),
        ({"name": "mobilenet_v2"}, "features.18"),
        ({"name": "efficientnet_b0"}, "features"),
    ],
    ids=str,
)
@pytest.mark.parametrize(("side", "map_side"), [(32, 4), (64, 2), (224, 7)])
def test_the_small_form_ends_with_four_pixels_and_takes_grey_images(
    model: dict[str, Any], last_map: str, side: int, map_side: int
) -> None:
    sizes = []
    with torch.device("meta"):
        network = build(model, (1, side, side))
        network.get_submodule(last_map).register_forward_hook(lambda *call: sizes.append(tuple(call[2].shape[2:])))
        network(torch.empty(2, 1, side, side))
    assert sizes == [(map_side, map_side)]


@pytest.mark.parametrize(("shape", "fits"), [((1, 8, 8), True), ((1, 8, 7), False), ((3, 7, 99), False)])
def test_images_that_are_too_small_are_refused(shape: tuple[int, int, int], fits: bool) -> None:
    if fits:
        require_pixels(shape, 8, "nin")
    else:
        with pytest.raises(ValueError, match=r"^nin needs at least 8×8 pixels; set input\.size$"):
            require_pixels(shape, 8, "nin")


def test_layers_with_weights_come_in_the_order_of_their_definition() -> None:
    inner = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4))
    network = nn.Sequential(nn.Linear(2, 4), inner, nn.Linear(4, 3))
    assert layers_with_weights(network) == [network[0], inner[1], network[2]]


def test_the_head_is_the_last_layer_or_what_is_marked_as_one() -> None:
    last = nn.Linear(4, 3)
    assert head_of(nn.Sequential(nn.Linear(2, 4), last)) is last
    marked = Head(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    assert head_of(nn.Sequential(nn.Linear(2, 4), marked)) is marked


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
