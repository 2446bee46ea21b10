"""The learning rate times `factor` after every `every` epochs: PyTorch's StepLR."""

from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import StepLR


def build(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    *,
    every: Annotated[int, Field(ge=1)],
    factor: Annotated[float, Field(gt=0)],
) -> StepLR:
    return StepLR(optimizer, every * steps_per_epoch, factor)
