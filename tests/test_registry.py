"""What params.yaml names is a file in a folder, found by its name, with options that its function checks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import reprolab.training.optimizers
from reprolab.core import registry
from reprolab.core.config import Loss, Model, Optimizer, Schedule, Source, Training
from reprolab.core.errors import InputError
from reprolab.core.registry import Component
from reprolab.models.build import resolve_experiment
from tests.factories import TRAINING, make_experiment

DECAYING = '''"""Plain descent of weights that decay."""

from typing import Annotated, Literal

from pydantic import Field
from torch.optim import SGD


def build(
    parameters,
    *,
    lr: Annotated[float, Field(gt=0)],
    decay: float = 0.25,
    kind: Literal["plain", "decoupled"] = "plain",
    bounds: list[Annotated[int, Field(ge=1)]] | None = None,
):
    return SGD(parameters, lr, weight_decay=decay)
'''


@pytest.fixture
def decaying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Component]]:
    """A folder of optimizers with one new file in it, `decaying.py`."""
    folder = tmp_path / "training" / "optimizers"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "decaying.py").write_text(DECAYING)
    monkeypatch.setattr(registry, "LIBRARY", tmp_path)
    monkeypatch.setattr(reprolab.training.optimizers, "__path__", [str(folder)])
    yield Optimizer
    sys.modules.pop("reprolab.training.optimizers.decaying", None)


def test_the_names_are_the_files_of_the_folder() -> None:
    assert {"adam", "sgd"} <= set(Optimizer.names())
    assert {"constant", "one_cycle", "step"} <= set(Schedule.names())
    assert {"cross_entropy"} <= set(Loss.names())
    assert {"cifar10", "points"} <= set(Source.names())
    assert {"lenet5", "mlp"} <= set(Model.names())
    assert "__init__" not in Model.names() == sorted(Model.names())


@pytest.mark.parametrize("kind", [Optimizer, Schedule, Loss, Source, Model])
def test_every_name_has_a_module_with_its_function(kind: type[Component]) -> None:
    for name in kind.names():
        assert callable(getattr(kind(name=name).module(), kind.function)), name


def test_a_new_file_is_found_by_its_name_and_bound_with_its_options(decaying: type[Component]) -> None:
    assert decaying.names() == ["decaying"]
    training = Training.model_validate(TRAINING | {"optimizer": {"name": "decaying", "lr": 0.5}})
    found = training.optimizer.resolved("training.optimizer")
    assert found.options == {"lr": 0.5, "decay": 0.25, "kind": "plain"}
    built = found.bind("training.optimizer")([torch.nn.Parameter(torch.zeros(1))])
    assert (built.defaults["lr"], built.defaults["weight_decay"]) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "training.optimizer.lr: this option of 'decaying' is missing"),
        ({"lr": 0}, "training.optimizer.lr: found 0; it should be greater than 0"),
        ({"lr": float("nan")}, "training.optimizer.lr: found nan; it should be a finite number"),
        ({"lr": "fast"}, "training.optimizer.lr: found 'fast'; it should be a valid number"),
        ({"lr": 0.5, "decay": None}, "training.optimizer.decay: found None; it should be a valid number"),
        ({"lr": 0.5, "kind": "other"}, "training.optimizer.kind: found 'other'; it should be 'plain' or 'decoupled'"),
        ({"lr": 0.5, "bounds": [1, 0]}, "training.optimizer.bounds.1: found 0; it should be greater than or equal"),
        (
            {"lr": 0.5, "decai": 1},
            "training.optimizer.decai: unknown option of 'decaying' (did you mean 'decay'?); "
            "allowed: lr, decay, kind, bounds",
        ),
    ],
    ids=str,
)
def test_a_wrong_option_of_a_new_file_is_reported(
    decaying: type[Component], options: dict[str, Any], expected: str
) -> None:
    component = decaying(name="decaying", **options)
    for check in (component.resolved, component.bind):
        with pytest.raises(InputError) as error:
            check("training.optimizer")
        assert str(error.value).startswith(expected)


def test_a_removed_file_is_no_name_any_more(decaying: type[Component]) -> None:
    with pytest.raises(ValueError, match="unknown name 'adam'; allowed: decaying"):
        decaying(name="adam", lr=0.1)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Optimizer(name="sgd", lr=0.1, beta=1), "x.beta: unknown option of 'sgd'; allowed: lr, momentum, weight_decay"),
        (Optimizer(name="sgd", lr=-0.1), "x.lr: found -0.1; it should be greater than 0"),
        (Optimizer(name="sgd", lr=0.1, momentum=1.0), "x.momentum: found 1.0; it should be less than 1"),
        (Optimizer(name="adam", lr=0.1, momentum=0.9), "x.momentum: unknown option of 'adam'; allowed: lr, weight_dec"),
        (Schedule(name="constant", every=2), "x.every: unknown option of 'constant'; allowed: none"),
        (Schedule(name="step", every=2), "x.factor: this option of 'step' is missing"),
        (Schedule(name="step", every=0.5, factor=0.5), "x.every: found 0.5; it should be a valid integer"),
        (Schedule(name="one_cycle", warmup=1.0), "x.warmup: found 1.0; it should be less than 1"),
        (Loss(name="cross_entropy", margin=1), "x.margin: unknown option of 'cross_entropy'; allowed: label"),
        (Model(name="mlp"), "x.hidden: this option of 'mlp' is missing"),
        (Model(name="mlp", hidden=[0]), "x.hidden.0: found 0; it should be greater than or equal to 1"),
        (Model(name="mlp", width=3), "x.width: unknown option of 'mlp'; allowed: hidden"),
        (Model(name="lenet5", activation="gelu"), "x.activation: found 'gelu'; it should be 'tanh' or 'relu'"),
        (Model(name="lenet5", poling="max"), "x.poling: unknown option of 'lenet5' (did you mean 'pooling'?)"),
        (Source(name="points", seed=0), "x.examples: this option of 'points' is missing"),
    ],
    ids=str,
)
def test_the_options_are_those_of_the_function(component: Component, expected: str) -> None:
    with pytest.raises(InputError) as error:
        component.resolved("x")
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("component", "options"),
    [
        (Optimizer(name="sgd", lr=0.1), {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False}),
        (Optimizer(name="adam", lr=1, weight_decay=0.5), {"lr": 1, "weight_decay": 0.5}),
        (Schedule(name="one_cycle"), {"warmup": 0.3}),
        (Schedule(name="constant"), {}),
        (Loss(name="cross_entropy"), {"label_smoothing": 0.0}),
        (Model(name="lenet5", padding=2), {"activation": "tanh", "pooling": "average", "padding": 2}),
        (Model(name="resnet", depth=18), {"depth": 18}),  # those that are None stay away
    ],
    ids=str,
)
def test_defaults_are_filled_in(component: Component, options: dict[str, Any]) -> None:
    resolved = component.resolved("x")
    assert (type(resolved), resolved.name, resolved.options) == (type(component), component.name, options)
    assert resolved.resolved("x") == resolved


def test_a_section_is_resolved_with_all_its_components() -> None:
    experiment = make_experiment({"schedule": {"name": "one_cycle"}}, model={"name": "lenet5"})
    resolved = registry.resolved(experiment, "experiments.small")
    assert resolved.model.options == {"activation": "tanh", "pooling": "average", "padding": 0}
    assert resolved.training.optimizer.options == {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False}
    assert resolved.training.schedule.options == {"warmup": 0.3}
    assert resolved.model_copy(update={"model": experiment.model, "training": experiment.training}) == experiment
    assert experiment.model.options == {}


@pytest.mark.parametrize(
    ("training", "model", "expected"),
    [
        ({"optimizer": {"name": "sgd"}}, {"name": "lenet5"}, "experiments.small.training.optimizer.lr: this option of"),
        ({"schedule": {"name": "step", "every": 1, "factor": 0}}, {"name": "lenet5"}, "small.training.schedule.factor"),
        ({}, {"name": "lenet5", "padding": -1}, "experiments.small.model.padding: found -1; it should be"),
    ],
)
def test_a_section_s_wrong_option_is_reported_with_its_whole_key(
    training: dict[str, Any], model: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as error:
        registry.resolved(make_experiment(training, model=model), "experiments.small")
    assert expected in str(error.value)


def test_all_wrong_options_of_a_section_are_reported_at_once() -> None:
    training = {"optimizer": {"name": "sgd", "momentum": 2.0, "rate": 0.1}, "schedule": {"name": "step"}}
    with pytest.raises(InputError) as error:
        resolve_experiment(make_experiment(training), "experiments.small")
    assert [line.strip().partition(": ")[0] for line in str(error.value).splitlines()] == [
        f"experiments.small.training.{key}"
        for key in ("optimizer.rate", "optimizer.lr", "optimizer.momentum", "schedule.every", "schedule.factor")
    ]
