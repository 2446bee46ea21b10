"""DenseNet-121 (Huang et al. 2017, "Densely connected convolutional networks"): torchvision's.

Every layer of a block sees the maps of all layers before it. Images below 64 pixels start with a 3×3 convolution of
stride 1 and no pooling, so that 32×32 ends as 4×4. On CIFAR-10 after 350 epochs with crops and flips: 95.0 %
(github.com/kuangliu/pytorch-cifar).
"""

from torch import nn


def build(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """7,978,856 parameters for three channels of 64 pixels or more and 1,000 classes."""
    from torchvision.models import densenet121

    channels, *sides = shape
    if min(sides) < 8:
        raise ValueError("densenet121 needs at least 8×8 pixels; set input.size")
    network: nn.Module = densenet121(weights=None, num_classes=classes)
    small = min(sides) < 64
    if small or channels != 3:
        kernel, stride = (3, 1) if small else (7, 2)
        stem = nn.Conv2d(channels, 64, kernel, stride=stride, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(stem.weight)
        network.set_submodule("features.conv0", stem)
    if small:
        network.set_submodule("features.pool0", nn.Identity())
    return network
