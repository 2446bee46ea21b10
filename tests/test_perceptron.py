"""The perceptron: its start, its decision, and its rule."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reprolab.core.config import Loss, Model
from reprolab.models.build import build_network
from reprolab.training.run import train
from tests.factories import make_experiment, make_points


def test_it_starts_at_zero_and_decides_by_the_sign() -> None:
    network = build_network(Model(name="perceptron"), (2,), 2)
    points = torch.tensor([[0.2, 0.9], [0.8, 0.1], [0.4, 0.5]])
    assert network(points).tolist() == [[0.0, 0.0]] * 3
    network.load_state_dict({"neuron.weight": torch.tensor([[2.0, -1.0]]), "neuron.bias": torch.tensor([-0.25])})
    assert network(points)[:, 0].tolist() == [0.0] * 3
    assert network(points)[:, 1].tolist() == pytest.approx([-0.75, 1.25, 0.05])
    assert network(points).argmax(1).tolist() == [0, 1, 1]


def test_it_has_whole_precision_under_autocast() -> None:
    network = build_network(Model(name="perceptron"), (2,), 2)
    network.load_state_dict({"neuron.weight": torch.tensor([[1.0, -1.0]]), "neuron.bias": torch.tensor([0.0])})
    points = torch.tensor([[0.5001, 0.5]])  # the same number twice in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(points)
    assert logits.dtype == torch.float32
    assert logits[0, 1] > 0


def test_its_loss_is_its_rule() -> None:
    loss_of = Loss(name="perceptron").bind("training.loss")()
    weights = torch.zeros(3, requires_grad=True)
    by_hand = np.zeros(3)
    generator = np.random.default_rng(0)
    for _ in range(40):
        example = np.append(generator.uniform(size=2), 1.0)
        label = int(example[0] > example[1])
        z = weights @ torch.from_numpy(example).float()
        (gradient,) = torch.autograd.grad(
            loss_of(torch.stack([torch.zeros(()), z])[None], torch.tensor([label])), weights
        )
        weights = (weights - 0.5 * gradient).detach().requires_grad_()
        by_hand += 0.5 * (label - int(by_hand @ example > 0)) * example
    assert weights.detach().numpy() == pytest.approx(by_hand, abs=1e-6)
    assert abs(by_hand).sum() > 0


def test_it_separates_what_a_line_can_separate(tmp_path: Path) -> None:
    rule = {"epochs": 15, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 0.5}, "loss": {"name": "perceptron"}}
    settings = make_experiment(rule, model={"name": "perceptron"})
    fit = train(settings, make_points(60), None, 0, tmp_path / "run.pt")
    assert fit.epochs[-1].train.accuracy == 1.0
