"""Up to the optimizer's `lr` during the first `warmup` of all steps, then down (Smith & Topin 2018): PyTorch's."""

from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from reprolab.core.errors import InputError


def build(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    *,
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3,
) -> OneCycleLR:
    """Raises `InputError` when the warm-up is too short for that many steps."""
    steps, peak = epochs * steps_per_epoch, optimizer.param_groups[0]["lr"]
    try:
        # Momentum stays fixed, as `params.yaml` gives it.
        return OneCycleLR(optimizer, peak, steps, pct_start=warmup, cycle_momentum=False)
    except ZeroDivisionError:
        raise InputError(
            f"training.schedule.warmup: found {warmup}, which is one step of {steps}; choose a larger one"
        ) from None
