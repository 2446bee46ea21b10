"""The learning rate stays as it is."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def build(optimizer: Optimizer, epochs: int, steps_per_epoch: int) -> LambdaLR:
    return LambdaLR(optimizer, lambda step: 1.0)
