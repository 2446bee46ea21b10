"""Muon: kernels take orthogonal steps, the rest takes SGD's, and both follow the schedule."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from reprolab.core.config import Optimizer, Schedule
from reprolab.core.errors import InputError

OPTIONS: dict[str, Any] = {"lr": 0.02, "rest_lr": 0.05, "weight_decay": 0.5, "rest_weight_decay": 0.25}


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 32, 3), nn.Flatten(), nn.Linear(512, 2)
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def backward(network: nn.Module, seed: int = 0) -> None:
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    network.zero_grad()
    nn.functional.cross_entropy(network(inputs), torch.tensor([0, 1, 0, 1, 1, 0])).backward()


def muon(network: nn.Module, **options: Any) -> torch.optim.Optimizer:
    built: torch.optim.Optimizer = Optimizer(name="muon", **OPTIONS | options).bind("training.optimizer")(
        network.parameters()
    )
    return built


def test_the_step_of_a_kernel_is_orthogonal() -> None:
    trained = network()
    before = copy.deepcopy(trained)
    backward(trained)
    muon(trained).step()
    for index, outputs, inputs in ((0, 4, 9), (2, 32, 36)):
        old, new = before[index].weight.detach(), trained[index].weight.detach()  # type: ignore[index]
        gradient = trained[index].weight.grad.reshape(outputs, inputs)  # type: ignore[index]
        step = ((1 - 0.02 * 0.5) * old - new).reshape(outputs, inputs) / 0.02
        rows, values, columns = torch.linalg.svd(gradient, full_matrices=False)
        large = values > values[0] / 10
        found = (rows.T @ step @ columns.T)[large][:, large]
        # Five steps of Newton and Schulz make the singular values about 1, no more.
        assert ((found.diagonal() > 0.5) & (found.diagonal() < 1.5)).all()
        assert (found - torch.diag(found.diagonal())).abs().max() < 0.1


def test_the_rest_takes_the_steps_of_nesterov_s_sgd() -> None:
    trained, other = network(), network()
    optimizer = muon(trained)
    rest = [parameter for parameter in other.parameters() if parameter.ndim != 4]
    sgd = torch.optim.SGD(rest, 0.05, 0.9, weight_decay=0.25, nesterov=True)
    for seed in range(3):
        backward(trained, seed)
        for parameter, same in zip(other.parameters(), trained.parameters(), strict=True):
            parameter.grad = None if same.grad is None else same.grad.clone()
        optimizer.step()
        sgd.step()
    for parameter, same in zip(other.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(parameter, same, atol=1e-6) == (parameter.ndim != 4)


def test_kernels_stored_in_another_order_train_the_same() -> None:
    trained, other = network(), network().to(memory_format=torch.contiguous_format)
    for each in (trained, other):
        optimizer = muon(each)
        for seed in range(2):
            backward(each, seed)
            optimizer.step()
    for parameter, same in zip(other.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(parameter, same, atol=1e-3)


def test_a_schedule_changes_both_rates() -> None:
    trained = network()
    optimizer: Any = muon(trained, weight_decay=0.0)
    schedule = Schedule(name="step", every=1, factor=0.5).bind("training.schedule")(optimizer, 3, 1)
    seen = []
    for _ in range(3):
        backward(trained)
        optimizer.step()
        seen.append([inner.param_groups[0]["lr"] for inner in optimizer.inner.values()])
        schedule.step()
    assert seen == [pytest.approx(rates) for rates in ([0.02, 0.05], [0.01, 0.025], [0.005, 0.0125])]


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([nn.Linear(3, 2)], {}, "training.optimizer.name: 'muon' is for networks with convolutions"),
        ([nn.Conv2d(1, 2, 3)], {"momentum": 0.0}, "training.optimizer.momentum: found 0; 'muon' needs some"),
    ],
    ids=["no kernels", "no momentum"],
)
def test_what_it_is_not_for_is_refused(layers: list[nn.Module], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        muon(nn.Sequential(*layers), **options)
