"""MobileNetV2 (Sandler et al. 2018): torchvision's, made of depthwise convolutions between narrow layers.

Few parameters and few multiplications, for telephones. On images below 64 pixels the first two strides of 2 are 1,
so that 32×32 ends as 4×4. The paper has no figure for CIFAR-10.
"""

from torch import nn


def build(shape: tuple[int, int, int], classes: int, *, dropout: float = 0.2) -> nn.Module:
    """3,504,872 parameters for three channels and 1,000 classes, at any size."""
    from torchvision.models import mobilenet_v2

    channels, *sides = shape
    if min(sides) < 8:
        raise ValueError("mobilenet_v2 needs at least 8×8 pixels; set input.size")
    network: nn.Module = mobilenet_v2(weights=None, num_classes=classes, dropout=dropout)
    small = min(sides) < 64
    if small or channels != 3:
        stem = nn.Conv2d(channels, 32, 3, stride=1 if small else 2, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out")
        network.set_submodule("features.0.0", stem)
    if small:
        depthwise = network.get_submodule("features.2.conv.1.0")
        assert isinstance(depthwise, nn.Conv2d)
        depthwise.stride = (1, 1)
    return network
