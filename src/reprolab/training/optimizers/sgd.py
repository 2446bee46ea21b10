"""Stochastic gradient descent, with momentum where asked (Polyak 1964): PyTorch's."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from torch import nn
from torch.optim import SGD


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: Annotated[float, Field(gt=0)],
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    weight_decay: Annotated[float, Field(ge=0)] = 0.0,
) -> SGD:
    """`weight_decay` is added to the gradient, times the weight."""
    return SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay)
