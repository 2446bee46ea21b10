"""AlexNet (Krizhevsky et al. 2012) resized for CIFAR-10's 32×32 pixels, as in the lab sheet.

Five 3×3 convolutions with three poolings, then two hidden layers of 2048 with dropout.
On CIFAR-10: 83 % after 20 epochs with crops and flips.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.5) -> nn.Module:
    """14,859,082 parameters for three channels and ten classes; images of 8×8 pixels or more."""
    require_pixels(shape, 8, "alexnet32")
    channels, *sides = shape
    # On 32×32 pixels the map is 4×4 already, and the pooling is left out: on a GPU its gradient is not repeatable.
    fits = all(side // 8 == 4 for side in sides)
    return nn.Sequential(
        *_convolution(channels, 64),
        nn.MaxPool2d(2),
        *_convolution(64, 192),
        nn.MaxPool2d(2),
        *_convolution(192, 384),
        *_convolution(384, 256),
        *_convolution(256, 256),
        nn.MaxPool2d(2),
        nn.Identity() if fits else nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4096, 2048),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(2048, 2048),
        nn.ReLU(),
        nn.Linear(2048, classes),
    )


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()
