"""Layers that architectures share: heads, and first layers for small images."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

SMALL = 64  # pixels a side below which torchvision's networks for 224 pixels shrink an image too soon

he_initialise = partial(nn.init.kaiming_normal_, mode="fan_out")


class Head(nn.Sequential):
    """The layers between the features and the logits, where there are several: what fine-tuning replaces."""


def layers_with_weights(network: nn.Module) -> list[nn.Module]:
    """The modules that hold parameters themselves, in the order of their definition."""
    return [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]


def head_of(network: nn.Module) -> nn.Module:
    """The part that makes logits of features: the network's `Head`, else its last layer with weights."""
    heads = [module for module in network.modules() if isinstance(module, Head)]
    return (heads or layers_with_weights(network))[-1]


def require_pixels(shape: tuple[int, int, int], least: int, name: str) -> None:
    """Raises ValueError when images of `shape` (channels, height, width) are smaller than `least` pixels a side."""
    if min(shape[1:]) < least:
        raise ValueError(f"{name} needs at least {least}×{least} pixels; set input.size")


def fit_first_layers(
    network: nn.Module,
    shape: tuple[int, int, int],
    convolution: str,
    shrinking: str,
    initialise: Callable[[torch.Tensor], object] = he_initialise,
) -> None:
    """Change the first layers of a network for 224 pixels in colour to fit images of `shape`.

    Images below 64 pixels keep their size longer: the first convolution, named `convolution`, becomes 3×3 with stride
    1, and the layer `shrinking` no longer shrinks: a pooling is left out, and a convolution gets stride 1.
    """
    channels, *sides = shape
    small = min(sides) < SMALL
    first = network.get_submodule(convolution)
    assert isinstance(first, nn.Conv2d)
    if small or channels != first.in_channels:
        kernel, stride = (3, 1) if small else (first.kernel_size[0], first.stride[0])
        fitting = nn.Conv2d(channels, first.out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)
        initialise(fitting.weight)
        network.set_submodule(convolution, fitting)
    if small:
        layer = network.get_submodule(shrinking)
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        else:
            network.set_submodule(shrinking, nn.Identity())
