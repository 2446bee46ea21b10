"""Adam (Kingma & Ba 2015): PyTorch's."""

from collections.abc import Iterable

from torch import nn
from torch.optim import Adam

from reprolab.core.bounds import LearningRate, WeightDecay


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: LearningRate,
    weight_decay: WeightDecay = 0.0,
) -> Adam:
    """`weight_decay` is added to the gradient, times the weight, before the moments are taken."""
    return Adam(parameters, lr, weight_decay=weight_decay, fused=True)
