"""The optimizers and learning-rate schedules that `params.yaml` can name."""

from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR

from reprolab import config
from reprolab.errors import InputError


def make_optimizer(settings: config.Sgd | config.Adam, network: nn.Module) -> Optimizer:
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    match settings:
        case config.Sgd():
            return SGD(parameters, settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)
        case config.Adam():
            return Adam(parameters, settings.lr, weight_decay=settings.weight_decay)


def make_schedule(settings: config.Training, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
    """A schedule that takes one step a batch. Without one the learning rate stays as it is.

    Raises `InputError` when the warm-up is too short for a one-cycle schedule.
    """
    match settings.schedule:
        case config.StepSchedule(every=every, factor=factor):
            return StepLR(optimizer, every * steps_per_epoch, factor)
        case config.OneCycleSchedule(warmup=warmup):
            # Momentum stays fixed, as `params.yaml` gives it.
            steps = settings.epochs * steps_per_epoch
            try:
                return OneCycleLR(optimizer, settings.optimizer.lr, steps, pct_start=warmup, cycle_momentum=False)
            except ZeroDivisionError:
                raise InputError(
                    f"training.schedule.warmup: found {warmup}, which is one step of {steps}; choose a larger one"
                ) from None
        case None:
            return LambdaLR(optimizer, lambda step: 1.0)
