"""The models that differ from a stack of layers: scikit-learn's `MLPClassifier` and the perceptron."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier

from reprolab.config import Component, Training
from reprolab.errors import InputError
from reprolab.models import FitsItself, build_network

ADAM = {"name": "adam", "lr": 0.05, "weight_decay": 0.01}
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.8, "weight_decay": 0.01}


def training(optimizer: dict[str, Any] = ADAM, **others: Any) -> Training:
    settings = {"epochs": 1, "batch_size": 16, "optimizer": optimizer, "seeds": [7], **others}
    return Training.model_validate(settings)


def build(hidden: list[int], classes: int) -> torch.nn.Module:
    return build_network(Component.model_validate({"name": "mlp_classifier", "hidden": hidden}), (4,), classes)


def examples(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 4, generator=generator)
    return inputs, (inputs[:, 0].abs() * 2).long() % classes


@pytest.mark.parametrize("optimizer", [ADAM, SGD], ids=["adam", "sgd"])
@pytest.mark.parametrize(("hidden", "classes"), [([6, 5], 2), ([8], 3), ([], 3)])
def test_its_probabilities_are_scikit_learn_s(hidden: list[int], classes: int, optimizer: dict[str, Any]) -> None:
    network, (inputs, labels) = build(hidden, classes), examples(classes)
    assert isinstance(network, FitsItself)
    for _ in range(4):
        network.fit_epoch(inputs, labels, training(optimizer), seed=7)

    solver = {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False} if optimizer is SGD else {"solver": "adam"}
    settings = {"learning_rate_init": optimizer["lr"], "alpha": 0.01, "batch_size": 16, "random_state": 7}
    direct = MLPClassifier(hidden, **settings, **solver)
    rows = inputs.double().numpy()
    for _ in range(4):
        direct.partial_fit(rows, labels.numpy(), classes=np.arange(classes))
    with torch.inference_mode():
        probabilities = network(inputs).softmax(1).numpy()
    assert probabilities == pytest.approx(direct.predict_proba(rows), abs=1e-5)
    assert np.ptp(probabilities[:, 0]) > 0.1


def test_it_learns_and_keeps_nothing_but_its_layers_weights() -> None:
    network, (inputs, labels) = build([20], 3), examples(3)
    keys = list(network.state_dict())
    assert isinstance(network, FitsItself)
    for _ in range(60):
        network.fit_epoch(inputs, labels, training(batch_size=1000), seed=0)
    assert (network(inputs).argmax(1) == labels).float().mean() > 0.9
    assert (
        list(network.state_dict()) == keys == ["layers.1.weight", "layers.1.bias", "layers.3.weight", "layers.3.bias"]
    )


def test_the_seed_gives_the_weights() -> None:
    inputs, labels = examples(2)
    weights = []
    for seed in (1, 1, 2):
        network = build([5], 2)
        assert isinstance(network, FitsItself)
        network.fit_epoch(inputs, labels, training(), seed)
        weights.append(network.state_dict()["layers.1.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_class_without_examples_has_its_logit() -> None:
    network, (inputs, _) = build([5], 3), examples(3)
    assert isinstance(network, FitsItself)
    network.fit_epoch(inputs, torch.arange(50) % 2, training(), seed=0)
    assert network(inputs).shape == (50, 3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_are_not_finite_reach_the_loop_which_tells_them() -> None:
    network, (inputs, labels) = build([5], 3), examples(3)
    assert isinstance(network, FitsItself)
    network.fit_epoch(inputs, labels, training({"name": "sgd", "lr": 1e200}), seed=0)
    assert not all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"schedule": {"name": "one-cycle"}}, "^training.schedule: found 'one-cycle', but mlp_classifier"),
        ({"loss": "perceptron"}, "^training.loss: found 'perceptron', but mlp_classifier"),
    ],
    ids=str,
)
def test_a_setting_that_scikit_learn_lacks_is_refused(setting: dict[str, Any], message: str) -> None:
    network = build([5], 2)
    assert isinstance(network, FitsItself)
    with pytest.raises(InputError, match=message):
        network.fit_epoch(*examples(2), training(**setting), seed=0)


def test_other_networks_do_not_fit_themselves() -> None:
    network = build_network(Component.model_validate({"name": "mlp", "hidden": [5]}), (4,), 3)
    assert not isinstance(network, FitsItself)


def test_the_perceptron_starts_at_zero_and_decides_by_the_sign() -> None:
    network = build_network(Component.model_validate({"name": "perceptron"}), (2,), 2)
    points = torch.tensor([[0.2, 0.9], [0.8, 0.1], [0.4, 0.5]])
    assert network(points).tolist() == [[0.0, 0.0]] * 3
    network.load_state_dict({"neuron.weight": torch.tensor([[2.0, -1.0]]), "neuron.bias": torch.tensor([-0.25])})
    assert network(points)[:, 0].tolist() == [0.0] * 3
    assert network(points)[:, 1].tolist() == pytest.approx([-0.75, 1.25, 0.05])
    assert network(points).argmax(1).tolist() == [0, 1, 1]


def test_the_perceptron_keeps_whole_precision_under_autocast() -> None:
    network = build_network(Component.model_validate({"name": "perceptron"}), (2,), 2)
    network.load_state_dict({"neuron.weight": torch.tensor([[1.0, -1.0]]), "neuron.bias": torch.tensor([0.0])})
    points = torch.tensor([[0.5001, 0.5]])  # the same number twice in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(points)
    assert logits.dtype == torch.float32
    assert logits[0, 1] > 0
