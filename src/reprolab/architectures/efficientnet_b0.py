"""EfficientNet-B0 (Tan & Le 2019): torchvision's, the smallest of a family scaled in depth, width and resolution.

MobileNetV2's blocks with squeeze-and-excitation. On images below 64 pixels the first two strides of 2 are 1, so that
32×32 ends as 4×4. The paper's 98.1 % on CIFAR-10 starts from ImageNet weights and enlarged images.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import fit_first_layers, require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2) -> nn.Module:
    """5,288,548 parameters for three channels and 1,000 classes, at any size."""
    from torchvision.models import efficientnet_b0

    require_pixels(shape, 8, "efficientnet_b0")
    network: nn.Module = efficientnet_b0(weights=None, num_classes=classes, dropout=dropout)
    fit_first_layers(network, shape, "features.0.0", "features.2.0.block.1.0")
    return network
