"""MobileNetV2 (Sandler et al. 2018): torchvision's, made of depthwise convolutions between narrow layers.

Few parameters and few multiplications, for telephones. On images below 64 pixels the first two strides of 2 are 1,
so that 32×32 ends as 4×4. The paper has no figure for CIFAR-10.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import fit_first_layers, require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2) -> nn.Module:
    """3,504,872 parameters for three channels and 1,000 classes, at any size."""
    from torchvision.models import mobilenet_v2

    require_pixels(shape, 8, "mobilenet_v2")
    network: nn.Module = mobilenet_v2(weights=None, num_classes=classes, dropout=dropout)
    fit_first_layers(network, shape, "features.0.0", "features.2.conv.1.0")
    # torchvision's own mean, which then has one value a map, gives its gradient in a slower layout.
    features = network.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    features.append(nn.AdaptiveAvgPool2d(1))
    return network
