"""VGG-16 (Simonyan & Zisserman 2015): torchvision's, thirteen 3×3 convolutions in five blocks.

As in the paper it has no batch normalisation, which came a year later; `batch_norm` adds it behind each convolution.
Images below 64 pixels have one linear layer in place of the two hidden layers of 4096, which hold nine tenths of the
parameters. On CIFAR-10 that form reaches 92.6 % with batch normalisation after 350 epochs with crops and flips
(github.com/kuangliu/pytorch-cifar).
"""

from collections import OrderedDict

from torch import nn

from reprolab.models.layers import SMALL, require_pixels


def build(shape: tuple[int, int, int], classes: int, *, batch_norm: bool = False) -> nn.Module:
    """14,719,818 parameters for three channels below 64 pixels and ten classes; images of 32×32 pixels or more."""
    from torchvision.models.vgg import VGG, cfgs, make_layers

    require_pixels(shape, 32, "vgg16")
    channels, *sides = shape
    small = min(sides) < SMALL
    features = make_layers(cfgs["D"], batch_norm=batch_norm)
    if channels != 3:
        features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    side = 1 if small else 7
    # Left out where the map has this size already: on a GPU its gradient is not repeatable.
    fits = {pixels // 32 for pixels in sides} == {side}
    pooling = nn.Identity() if fits else nn.AdaptiveAvgPool2d(side)
    if not small:
        network: nn.Module = VGG(features, num_classes=classes)
        network.set_submodule("avgpool", pooling)
        return network
    # He's initialisation by the inputs: by the outputs, as torchvision's, each wider block halves the variance, and
    # without normalisation the network is slow to start.
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return nn.Sequential(
        OrderedDict(features=features, avgpool=pooling, flatten=nn.Flatten(), classifier=nn.Linear(512, classes))
    )
