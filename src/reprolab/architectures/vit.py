"""Vision transformer (Dosovitskiy et al. 2021, "An image is worth 16x16 words"): torchvision's.

Square patches as words, with a learnt position each, and a class token whose last state is classified. Its defaults
are a small one for 32×32 pixels. On CIFAR-10 without pretraining: 80 % after 200 epochs
(github.com/kentaroy47/vision-transformers-cifar10), less than convolutional networks, since it has to learn from the
data that near pixels belong together.
"""

from math import sqrt

from torch import nn

from reprolab.core.bounds import Layers, Pixels, Share, Width


def build(
    shape: tuple[int, int, int],
    classes: int,
    *,
    patch: Pixels = 4,
    layers: Layers = 6,
    heads: Width = 4,
    width: Width = 192,
    dropout: Share = 0.1,
) -> nn.Module:
    """2,693,578 parameters for three 32×32 channels and ten classes. `patch` is the side of a patch in pixels."""
    from torchvision.models import VisionTransformer

    channels, height, side = shape
    if height != side or side % patch:
        raise ValueError(f"vit needs square images whose side is a multiple of its patch of {patch}; set input.size")
    if width % heads:
        raise ValueError(f"vit needs a width that is a multiple of its heads: found width {width} and heads {heads}")
    network: nn.Module = VisionTransformer(
        image_size=side,
        patch_size=patch,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=4 * width,
        dropout=dropout,
        num_classes=classes,
    )
    if channels != 3:
        patches = nn.Conv2d(channels, width, patch, stride=patch)
        nn.init.trunc_normal_(patches.weight, std=sqrt(1 / (channels * patch * patch)))
        assert patches.bias is not None
        nn.init.zeros_(patches.bias)
        network.conv_proj = patches
    # torchvision starts the head at zero, and then the first step's gradient reaches no other layer.
    head = network.get_submodule("heads.head")
    assert isinstance(head, nn.Linear)
    head.reset_parameters()
    return network
