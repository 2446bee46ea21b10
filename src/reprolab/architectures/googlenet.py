"""GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions"): torchvision's, without the auxiliary heads.

Nine inception blocks: convolutions of three sizes and a pooling side by side. Images below 64 pixels start with a
3×3 convolution of stride 1 and no pooling, so that 32×32 ends as 4×4. The paper has no figure for CIFAR-10.
"""

from torch import nn

from reprolab.core.bounds import Share
from reprolab.models.layers import fit_first_layers, require_pixels


def build(shape: tuple[int, int, int], classes: int, *, dropout: Share = 0.2) -> nn.Module:
    """6,624,904 parameters for three channels of 64 pixels or more and 1,000 classes."""
    from torchvision.models import GoogLeNet

    require_pixels(shape, 8, "googlenet")
    # PyTorch's own initialisation: torchvision's (standard deviation .01) is so small in the 1×1 convolutions that
    # the batch normalisation's epsilon dampens the signal.
    network: nn.Module = GoogLeNet(num_classes=classes, aux_logits=False, init_weights=False, dropout=dropout)
    fit_first_layers(network, shape, "conv1.conv", "maxpool1", initialise=lambda weights: None)
    return network
