"""The small convolutional network of the lab sheet module7: two 5×5 convolutions, two poolings, dropout, logits.

The sheet trains it on MNIST and gives no figure.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2) -> nn.Module:
    """28,938 parameters for one 28×28 channel and ten classes; images of 4×4 pixels or more."""
    channels, height, width = shape
    require_pixels(shape, 4, "cnn")
    return nn.Sequential(
        nn.Conv2d(channels, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), classes),
    )
