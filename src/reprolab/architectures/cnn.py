"""The small convolutional network of the lab sheet module7: two 5×5 convolutions, two poolings, dropout, logits.

The sheet trains it on 600 images of MNIST and gives no figure. `batch_norm` adds a batch normalisation behind each
convolution, which the sheet's network does not have.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2, batch_norm: bool = False) -> nn.Module:
    """28,938 parameters for one 28×28 channel and ten classes; images of 4×4 pixels or more."""
    channels, height, width = shape
    require_pixels(shape, 4, "cnn")
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, 16), (16, 32)):
        layers.append(nn.Conv2d(inputs, outputs, 5, padding=2))
        layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
        layers += [nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (height // 4) * (width // 4), classes))
