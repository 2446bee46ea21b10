"""AlexNet (Krizhevsky et al. 2012) for images of about 224×224 pixels, in the one-tower form of Krizhevsky 2014.

The defaults are torchvision's network, with the same names of the weights. The channels differ from author to
author: the lab sheet's `alexnet224` has [64, 128, 256, 256, 256], its `alexnet227` has [96, 256, 384, 384, 256]
without padding, and both have the dropout after the hidden layers. On CIFAR-10, enlarged: 62 % and 80 % in the sheet,
93 % from ImageNet weights.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from torch import nn

from reprolab.core.bounds import Margin, Share, Width
from reprolab.models.layers import require_pixels

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

CHANNELS = [64, 192, 384, 256, 256]
PADDING = 2

Channels = Annotated[list[Width], Field(min_length=5, max_length=5)]


def build(
    shape: tuple[int, int, int],
    classes: int,
    *,
    channels: Channels = CHANNELS,
    padding: Margin = PADDING,
    dropout: Share = 0.5,
    dropout_after: bool = False,
) -> nn.Module:
    """61,100,840 parameters for three channels and 1,000 classes. `padding` is that of the first convolution.

    Dropout stands before each of the two hidden layers, or with `dropout_after` behind its ReLU.
    """
    require_pixels(shape, 67 - 2 * padding, "alexnet")
    inputs, *sides = shape
    first, second, third, fourth, fifth = channels
    features = nn.Sequential(
        nn.Conv2d(inputs, first, 11, stride=4, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(first, second, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(second, third, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(third, fourth, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(fourth, fifth, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
    )
    # Where the map is 6×6 already the pooling is left out: on a GPU its gradient is not repeatable.
    fits = all(_map_side(side, padding) == 6 for side in sides)
    hidden: list[nn.Module] = []
    for width in (fifth * 6 * 6, 4096):
        layers = [nn.Linear(width, 4096), nn.ReLU()]
        hidden += [*layers, nn.Dropout(dropout)] if dropout_after else [nn.Dropout(dropout), *layers]
    classifier = nn.Sequential(*hidden, nn.Linear(4096, classes))
    parts: list[tuple[str, nn.Module]] = [
        ("features", features),
        ("avgpool", nn.Identity() if fits else nn.AdaptiveAvgPool2d(6)),
        ("flatten", nn.Flatten()),
        ("classifier", classifier),
    ]
    return nn.Sequential(OrderedDict(parts))


def imagenet(**options: Any) -> "WeightsEnum":
    """Raises ValueError for other channels, another padding or another place of the dropout than ImageNet's."""
    from torchvision.models import AlexNet_Weights

    for name, fitting in (("channels", CHANNELS), ("padding", PADDING), ("dropout_after", False)):
        if options.get(name, fitting) != fitting:
            raise ValueError(f"{name}: found {options[name]}, but the ImageNet weights need {fitting}; remove this key")
    return AlexNet_Weights.IMAGENET1K_V1


def _map_side(side: int, padding: int) -> int:
    """Pixels of the last map, from those of the image."""
    side = (side + 2 * padding - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side
