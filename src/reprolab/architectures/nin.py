"""Network in network (Lin et al. 2013), the CIFAR-10 version: 1×1 convolutions after each larger one, and the mean of
each class's map as its logit, with no fully connected layer.

On CIFAR-10: 91 % in the paper, with crops and flips.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.5) -> nn.Module:
    """966,986 parameters for three channels and ten classes; images of 8×8 pixels or more."""
    require_pixels(shape, 8, "nin")
    network = nn.Sequential(
        *_block(shape[0], 5, 192, 160, 96),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.Dropout(dropout),
        *_block(96, 5, 192, 192, 192),
        nn.AvgPool2d(3, stride=2, ceil_mode=True),
        nn.Dropout(dropout),
        # The authors have a ReLU after the last maps too. Without it a class can be ruled out, and none can go dead.
        *_block(192, 3, 192, 192, classes)[:-1],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    # He's initialisation: nine layers without normalisation hardly train with PyTorch's, which is smaller.
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return network


def _block(inputs: int, kernel: int, first: int, second: int, third: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, first, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.Conv2d(first, second, 1),
        nn.ReLU(),
        nn.Conv2d(second, third, 1),
        nn.ReLU(),
    ]
