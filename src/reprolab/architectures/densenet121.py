"""DenseNet-121 (Huang et al. 2017, "Densely connected convolutional networks"): torchvision's.

Every layer of a block sees the maps of all layers before it. Images below 64 pixels start with a 3×3 convolution of
stride 1 and no pooling, so that 32×32 ends as 4×4. On CIFAR-10 after 350 epochs with crops and flips: 95.0 %
(github.com/kuangliu/pytorch-cifar).
"""

from torch import nn

from reprolab.models.layers import fit_first_layers, require_pixels


def build(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """7,978,856 parameters for three channels of 64 pixels or more and 1,000 classes."""
    from torchvision.models import densenet121

    require_pixels(shape, 8, "densenet121")
    network: nn.Module = densenet121(weights=None, num_classes=classes)
    fit_first_layers(network, shape, "features.conv0", "features.pool0", nn.init.kaiming_normal_)
    return network
