"""EfficientNet-B0 (Tan & Le 2019): torchvision's, the smallest of a family scaled in depth, width and resolution.

MobileNetV2's blocks with squeeze-and-excitation. On images below 64 pixels the first two strides of 2 are 1, so that
32×32 ends as 4×4. The paper's 98.1 % on CIFAR-10 starts from ImageNet weights and enlarged images.
"""

from torch import nn


def build(shape: tuple[int, int, int], classes: int, *, dropout: float = 0.2) -> nn.Module:
    """5,288,548 parameters for three channels and 1,000 classes, at any size."""
    from torchvision.models import efficientnet_b0

    channels, *sides = shape
    if min(sides) < 8:
        raise ValueError("efficientnet_b0 needs at least 8×8 pixels; set input.size")
    network: nn.Module = efficientnet_b0(weights=None, num_classes=classes, dropout=dropout)
    small = min(sides) < 64
    if small or channels != 3:
        stem = nn.Conv2d(channels, 32, 3, stride=1 if small else 2, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out")
        network.set_submodule("features.0.0", stem)
    if small:
        depthwise = network.get_submodule("features.2.0.block.1.0")
        assert isinstance(depthwise, nn.Conv2d)
        depthwise.stride = (1, 1)
    return network
