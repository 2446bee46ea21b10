"""The learning rate times `factor` after every `every` epochs: PyTorch's StepLR."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import StepLR

from reprolab.core.bounds import Epochs, Factor


def build(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    *,
    every: Epochs,
    factor: Factor,
) -> StepLR:
    return StepLR(optimizer, every * steps_per_epoch, factor)
