"""Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (1983) where asked: PyTorch's."""

from collections.abc import Iterable

from torch import nn
from torch.optim import SGD

from reprolab.core.bounds import LearningRate, Momentum, WeightDecay
from reprolab.core.errors import InputError


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: LearningRate,
    momentum: Momentum = 0.0,
    weight_decay: WeightDecay = 0.0,
    nesterov: bool = False,
) -> SGD:
    """`weight_decay` is added to the gradient, times the weight.

    Raises `InputError` for `nesterov` without momentum.
    """
    if nesterov and not momentum:
        raise InputError("training.optimizer.nesterov: found true without momentum; set momentum, as in momentum: 0.9")
    return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True)
