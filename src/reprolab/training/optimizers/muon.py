"""Muon (Jordan et al. 2024) for the kernels of convolutions, Nesterov's momentum for the rest: PyTorch's.

The step of a kernel, as a matrix with a row an output channel, is made orthogonal, so that all that its inputs show is
learned at one pace. It is for trainings of few epochs: `docs/benchmarks.md` shows what it buys.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Optimizer

from reprolab.core.bounds import LearningRate, Momentum, WeightDecay
from reprolab.core.errors import InputError


def build(
    parameters: Iterable[nn.Parameter],
    *,
    lr: LearningRate,
    rest_lr: LearningRate,
    momentum: Momentum = 0.9,
    weight_decay: WeightDecay = 0.05,
    rest_weight_decay: WeightDecay = 5e-4,
) -> "Muon":
    """`lr` and `weight_decay` are those of the kernels, which shrink by their product each step; `rest_weight_decay` is
    added to the gradient, times the weight. Both have the momentum.

    Raises `InputError` for a network without convolutions, and without momentum.
    """
    if not momentum:
        raise InputError("training.optimizer.momentum: found 0; 'muon' needs some, as in momentum: 0.9")
    given = list(parameters)
    kernels = [parameter for parameter in given if parameter.ndim == 4]
    rest = [parameter for parameter in given if parameter.ndim != 4]
    if not kernels:
        raise InputError("training.optimizer.name: 'muon' is for networks with convolutions; choose sgd or adam")
    for kernel in kernels:  # so that a matrix shares the memory of its kernel
        kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
    matrices = [nn.Parameter(_matrix(kernel.detach())) for kernel in kernels]
    return Muon(
        given,
        torch.optim.Muon(matrices, lr, weight_decay, momentum),
        SGD(rest, rest_lr, momentum, weight_decay=rest_weight_decay, nesterov=True, fused=True),
    )


class Muon(Optimizer):
    """`of_kernels` has the kernels as matrices. The learning rate, which a schedule changes, is theirs, and that of the
    rest keeps its ratio to it."""

    def __init__(self, parameters: list[nn.Parameter], of_kernels: torch.optim.Muon, of_rest: SGD) -> None:
        lr, rest_lr = (inner.param_groups[0]["lr"] for inner in (of_kernels, of_rest))
        self.inner = {"kernels": of_kernels, "rest": of_rest}
        self.ratios = {"kernels": 1.0, "rest": rest_lr / lr}
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        (group,) = self.param_groups
        kernels = [parameter for parameter in group["params"] if parameter.ndim == 4]
        for kernel, matrix in zip(kernels, self.inner["kernels"].param_groups[0]["params"], strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad)
        for name, inner in self.inner.items():
            inner.param_groups[0]["lr"] = group["lr"] * self.ratios[name]
            inner.step()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {name: inner.state_dict() for name, inner in self.inner.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for name, inner in self.inner.items():
            inner.load_state_dict(state_dict[name])


def _matrix(kernel: torch.Tensor) -> torch.Tensor:
    """The same numbers as (outputs, height · width · inputs): a view where those are stored channels-last."""
    return kernel.permute(0, 2, 3, 1).reshape(len(kernel), -1)
