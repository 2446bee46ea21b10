"""Adam (Kingma & Ba 2015): PyTorch's."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from torch import nn
from torch.optim import Adam


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: Annotated[float, Field(gt=0)],
    weight_decay: Annotated[float, Field(ge=0)] = 0.0,
) -> Adam:
    """`weight_decay` is added to the gradient, times the weight, before the moments are taken."""
    return Adam(parameters, lr, weight_decay=weight_decay)
