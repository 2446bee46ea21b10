"""The perceptron: its start, its decision, and its rule."""

from typing import Any

import numpy as np
import pytest
import torch

from reprolab.core.config import Model, Training
from reprolab.core.errors import InputError
from reprolab.models.build import FitsItself, build_network, resolve_experiment
from reprolab.training.run import train
from tests.factories import TRAINING, make_experiment, make_points

RULE: dict[str, Any] = {"epochs": 15, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 0.5}}
RAW = {"mean": [0.0, 0.0], "std": [1.0, 1.0]}


def perceptron() -> torch.nn.Module:
    return build_network(Model(name="perceptron"), (2,), 2)


def by_hand(inputs: np.ndarray, labels: np.ndarray, epochs: int) -> np.ndarray:
    """The two weights and the bias after the sheet's rule: rate .5, in the order of the file, sigmoid against .5."""
    weights = np.zeros(3)
    for _ in range(epochs):
        for example, label in zip(inputs, labels, strict=True):
            features = np.append(example.astype(np.float64), 1.0)
            answer = int(1 / (1 + np.exp(-weights @ features)) >= 0.5)
            weights += 0.5 * (label - answer) * features
    return weights


def test_it_starts_at_zero_where_a_tie_answers_1() -> None:
    network = perceptron()
    points = torch.tensor([[0.2, 0.9], [0.8, 0.1], [0.4, 0.5]])
    assert network(points).sigmoid().tolist() == [[0.5, 0.5]] * 3
    assert network(points).argmax(1).tolist() == [1, 1, 1]


def test_it_decides_by_the_sign() -> None:
    network = perceptron()
    network.load_state_dict({"neuron.weight": torch.tensor([[2.0, -1.0]]), "neuron.bias": torch.tensor([-0.25])})
    logits = network(torch.tensor([[0.2, 0.9], [0.8, 0.1], [0.4, 0.5]]))
    assert logits[:, 0].tolist() == [0.0] * 3
    assert logits[:, 1].tolist() == pytest.approx([-0.75, 1.25, 0.05])
    assert logits.argmax(1).tolist() == [0, 1, 1]


def test_it_has_whole_precision_under_autocast() -> None:
    network = perceptron()
    network.load_state_dict({"neuron.weight": torch.tensor([[1.0, -1.0]]), "neuron.bias": torch.tensor([0.0])})
    points = torch.tensor([[0.5001, 0.5]])  # the same number twice in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(points)
    assert logits.dtype == torch.float32
    assert logits[0, 1] > 0


@pytest.mark.parametrize("epochs", [1, 3])
def test_its_training_is_the_rule_in_the_order_of_the_file(epochs: int) -> None:
    data = make_points(60)
    fit = train(make_experiment(RULE | {"epochs": epochs}, model={"name": "perceptron"}, input=RAW), data, None, 0)
    found = np.concatenate([parameter.detach().numpy().ravel() for parameter in fit.classifier.parameters()])
    assert found == pytest.approx(by_hand(data.train.inputs, data.train.labels, epochs), abs=1e-5)
    backwards = by_hand(data.train.inputs[::-1], data.train.labels[::-1], epochs)
    assert found != pytest.approx(backwards, abs=0.01)


def test_the_first_example_changes_nothing_where_its_class_is_1_and_the_weights_where_it_is_0() -> None:
    example, settings = torch.tensor([[0.25, 0.5]]), Training.model_validate(TRAINING | RULE)
    weights = []
    for label in (1, 0):
        network = perceptron()
        assert isinstance(network, FitsItself)
        network.fit_epoch(example, torch.tensor([label]), settings, seed=0)
        weights.append([value for parameter in network.parameters() for value in parameter.flatten().tolist()])
    assert weights == [[0, 0, 0], [-0.125, -0.25, -0.5]]


def test_it_separates_what_a_line_can_separate() -> None:
    fit = train(make_experiment(RULE, model={"name": "perceptron"}, input=RAW), make_points(60), None, 0)
    assert len(fit.epochs) == 15
    assert fit.epochs[-1].train.accuracy == 1.0


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"batch_size": 2}, "training.batch_size 2"),
        ({"optimizer": {"name": "adam", "lr": 0.5}}, "training.optimizer 'adam'"),
        ({"optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9}}, "training.optimizer.momentum"),
        ({"schedule": {"name": "one_cycle"}}, "training.schedule 'one_cycle'"),
    ],
    ids=str,
)
def test_what_its_rule_does_not_know_is_refused(training: dict[str, Any], expected: str) -> None:
    experiment = make_experiment(RULE | training, model={"name": "perceptron"})
    with pytest.raises(InputError, match=rf"^here: the perceptron's rule knows no {expected}: it takes plain sgd with"):
        resolve_experiment(experiment, "here")
