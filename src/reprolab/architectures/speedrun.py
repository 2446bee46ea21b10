"""A small convolutional network made for short trainings, after Jordan's airbench ("94 % on CIFAR-10 in 3.29 seconds
on a single GPU", 2024): on two cores, 90 % of the JPEG stand-in in half an hour, and 99 % on MNIST in seconds.

A first convolution that whitens 2×2 patches and is not trained, then three blocks of two 3×3 convolutions with batch
normalisation, a quarter of the size each, and one linear layer over what is left.
"""

from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from reprolab.core.bounds import Width
from reprolab.models.layers import require_pixels

PATCH = 2  # pixels a side
SMALLEST = 5e-4  # variance of whitened patches, below which it is noise, of images with standard deviation 1
LOGITS = 1 / 9  # their scale, with which the first steps are neither lost nor too large
FORGETTING = 0.4  # batch statistics of the last few steps are what evaluation uses


def build(
    shape: tuple[int, int, int],
    classes: int,
    *,
    widths: Annotated[list[Width], Field(min_length=3, max_length=3)] = [64, 256, 256],  # noqa: B006, a schema
    mirrored_evaluation: bool = False,
) -> nn.Module:
    """1,972,504 parameters for three channels and ten classes; images of 17×17 pixels or more.

    Outside of training, `mirrored_evaluation` averages the logits of an image and its mirror image.
    """
    require_pixels(shape, 17, "speedrun")
    channels = shape[0]
    whitening = Whitening(channels)
    layers: list[nn.Module] = [whitening, nn.GELU()]
    for inputs, outputs in pairwise([whitening.outputs, *widths]):
        layers += [
            _convolution(inputs, outputs),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(outputs, momentum=FORGETTING),
            nn.GELU(),
            _convolution(outputs, outputs),
            nn.BatchNorm2d(outputs, momentum=FORGETTING),
            nn.GELU(),
        ]
    network = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), Scaled(widths[-1], classes))
    return Mirrored(network) if mirrored_evaluation else network


class Whitening(nn.Module):
    """Principal components of 2×2 patches at variance 1, and the negatives of these, plus a bias that is trained.

    The first batch that it is trained with gives the kernel, (8 · channels, channels, 2, 2).
    """

    weight: torch.Tensor
    is_fitted: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.outputs = 2 * channels * PATCH**2
        kernel = torch.empty(self.outputs, channels, PATCH, PATCH)
        self.register_buffer("weight", nn.init.kaiming_normal_(kernel, nonlinearity="linear"))
        self.register_buffer("is_fitted", torch.tensor(False))
        self.bias = nn.Parameter(torch.zeros(self.outputs))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and not (images.is_meta or self.is_fitted):
            self.fit(images)
        return F.conv2d(images, self.weight, self.bias)

    @torch.no_grad()
    def fit(self, images: torch.Tensor) -> None:
        with torch.autocast(images.device.type, enabled=False):
            patches = F.unfold(images, PATCH).transpose(1, 2).flatten(0, 1)
            variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
            whitened = components.T / variances.clamp(min=SMALLEST).sqrt()[:, None]
        self.weight.copy_(torch.cat([whitened, -whitened]).view(self.weight.shape))
        self.is_fitted.fill_(True)


class Scaled(nn.Linear):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs) * LOGITS


class Mirrored(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(inputs)
        return logits if self.training else (logits + self.network(inputs.flip(3))) / 2


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """Starts by handing on its inputs, as far as it has outputs for them, so that depth costs no speed."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(convolution.weight[:inputs])
    return convolution
