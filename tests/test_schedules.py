"""How the learning rate goes, step by step, and which options the optimizers get."""

from typing import Any

import pytest
import torch

from reprolab.core.config import Loss, Optimizer, Schedule
from reprolab.core.errors import InputError


def rates(schedule: dict[str, Any], epochs: int, steps_per_epoch: int) -> list[float]:
    """The learning rate of every step, for the optimizer's rate 1."""
    optimizer = Optimizer(name="sgd", lr=1.0, momentum=0.9).bind("training.optimizer")(
        torch.nn.Linear(1, 1).parameters()
    )
    course = Schedule(**schedule).bind("training.schedule")(optimizer, epochs, steps_per_epoch)
    seen = []
    for _ in range(epochs * steps_per_epoch):
        seen.append(float(course.get_last_lr()[0]))
        optimizer.step()
        course.step()
    assert optimizer.param_groups[0]["momentum"] == 0.9
    return seen


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"name": "constant"}, [1.0] * 6),
        ({"name": "step", "every": 2, "factor": 0.5}, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]),
    ],
    ids=str,
)
def test_a_schedule_steps_by_epochs(schedule: dict[str, Any], expected: list[float]) -> None:
    assert rates(schedule, epochs=3, steps_per_epoch=2) == pytest.approx(expected)


@pytest.mark.parametrize(("warmup", "top"), [({}, 29), ({"warmup": 0.5}, 49)])
def test_one_cycle_rises_to_the_rate_and_ends_near_zero(warmup: dict[str, float], top: int) -> None:
    course = rates({"name": "one_cycle", **warmup}, epochs=10, steps_per_epoch=10)
    assert max(course) == pytest.approx(1.0)
    assert course.index(max(course)) == top
    assert course[0] < 0.05 and course[-1] < 0.001


def test_a_warm_up_of_one_step_is_refused() -> None:
    with pytest.raises(InputError, match=r"training.schedule.warmup: found 0.2, which is one step of 5"):
        rates({"name": "one_cycle", "warmup": 0.2}, epochs=5, steps_per_epoch=1)


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (Optimizer(name="sgd", lr=0.5, momentum=0.25, weight_decay=0.125), torch.optim.SGD),
        (Optimizer(name="sgd", lr=0.5, momentum=0.25, nesterov=True), torch.optim.SGD),
        (Optimizer(name="adam", lr=0.5, weight_decay=0.125), torch.optim.Adam),
    ],
    ids=str,
)
def test_an_optimizer_has_the_options_of_params(optimizer: Optimizer, kind: type[torch.optim.Optimizer]) -> None:
    built = optimizer.bind("training.optimizer")(torch.nn.Linear(1, 1).parameters())
    assert type(built) is kind
    assert optimizer.options.items() <= built.defaults.items()


def test_nesterov_s_needs_momentum() -> None:
    with pytest.raises(InputError, match=r"training.optimizer.nesterov: found true without momentum; set momentum"):
        Optimizer(name="sgd", lr=0.5, nesterov=True).bind("training.optimizer")(torch.nn.Linear(1, 1).parameters())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_pytorch_s(smoothing: float) -> None:
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    loss = Loss(name="cross_entropy", label_smoothing=smoothing).bind("training.loss")()(logits, labels)
    assert torch.equal(loss, torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, labels))
