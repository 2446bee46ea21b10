"""The losses, optimizers and learning-rate schedules that `params.yaml` can name."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR

from reprolab import config
from reprolab.errors import InputError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make_loss(settings: config.Training) -> Loss:
    """The mean loss of logits (n, classes) for labels (n,)."""
    return perceptron_loss if settings.loss == "perceptron" else F.cross_entropy


def perceptron_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far the predicted class's logit lies above the right one's: 0 where the prediction is right.

    One step of plain SGD on one example is the perceptron's rule, w ← w + rate·(target − prediction)·x
    (Rosenblatt 1958), also where both logits are the same.
    """
    predicted = logits.argmax(1, keepdim=True)
    return (logits.gather(1, predicted) - logits.gather(1, labels[:, None])).mean()


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
