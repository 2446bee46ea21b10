"""Residual networks (He et al. 2016, "Deep residual learning for image recognition"): torchvision's ResNet-18 and -50.

Images below 64 pixels keep their resolution in the first convolution (3×3, stride 1, no pooling), as the paper does
for CIFAR-10. On CIFAR-10 after 350 epochs with crops and flips: 93.0 % and 93.6 % (github.com/kuangliu/pytorch-cifar).
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from reprolab.core.bounds import Share, Widths
from reprolab.models.layers import Head, fit_first_layers, require_pixels

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum


def build(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: Literal[18, 50],
    head: Widths | None = None,
    head_dropout: list[Share] | None = None,
) -> nn.Module:
    """Depth 18 has 11,173,962 parameters for three channels below 64 pixels and ten classes.

    `head` lists the widths of hidden layers before the logits, with ReLU, and `head_dropout` the dropout after each.
    """
    from torchvision.models import resnet18, resnet50

    require_pixels(shape, 8, "resnet")
    network: nn.Module = (resnet18 if depth == 18 else resnet50)(weights=None, num_classes=classes)
    fit_first_layers(network, shape, "conv1", "maxpool")
    if head or head_dropout:
        network.fc = _head(512 if depth == 18 else 2048, head or [], head_dropout or [], classes)
    return network


def imagenet(**options: Any) -> "WeightsEnum":
    """Those of this depth. Any head does, since only the layers before it take these weights."""
    from torchvision.models import ResNet18_Weights, ResNet50_Weights

    return (ResNet18_Weights if options["depth"] == 18 else ResNet50_Weights).IMAGENET1K_V1


def _head(features: int, widths: list[int], dropout: list[float], classes: int) -> Head:
    dropout = dropout or [0.0] * len(widths)
    if len(dropout) != len(widths):
        raise ValueError(f"head_dropout has {len(dropout)} number(s) for {len(widths)} layer(s) of head; one for each")
    layers: list[nn.Module] = []
    for (inputs, outputs), share in zip(pairwise([features, *widths]), dropout, strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(share)]
    return Head(*layers, nn.Linear(widths[-1], classes))
