"""Stochastic gradient descent, with momentum where asked (Polyak 1964): PyTorch's."""

from collections.abc import Iterable

from torch import nn
from torch.optim import SGD

from reprolab.core.bounds import LearningRate, Momentum, WeightDecay


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: LearningRate,
    momentum: Momentum = 0.0,
    weight_decay: WeightDecay = 0.0,
) -> SGD:
    """`weight_decay` is added to the gradient, times the weight."""
    return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay)
