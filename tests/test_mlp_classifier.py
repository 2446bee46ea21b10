"""scikit-learn's `MLPClassifier` as a network: its weights, its probabilities, and the settings that it knows."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier

from reprolab.architectures.mlp_classifier import check
from reprolab.core.config import Loss, Model, Optimizer, Training
from reprolab.core.errors import InputError
from reprolab.models.build import FitsItself, build_network, resolve_experiments
from reprolab.training.run import train
from tests.factories import TRAINING, make_experiment, make_params, make_points

ADAM = {"name": "adam", "lr": 0.05, "weight_decay": 0.01}
RAW = {"mean": [0.0, 0.0], "std": [1.0, 1.0]}
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.8, "weight_decay": 0.01}


def training(optimizer: dict[str, Any] = ADAM, **others: Any) -> Training:
    return Training.model_validate(TRAINING | {"optimizer": optimizer} | others)


def build(hidden: list[int], classes: int) -> torch.nn.Module:
    return build_network(Model(name="mlp_classifier", hidden=hidden), (4,), classes)


def examples(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 4, generator=generator)
    return inputs, (inputs[:, 0].abs() * 2).long() % classes


def fitted(hidden: list[int], classes: int, optimizer: dict[str, Any], epochs: int) -> MLPClassifier:
    """scikit-learn's own `fit` of the examples, with settings written out."""
    solver = {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False} if optimizer is SGD else {"solver": "adam"}
    settings = {"learning_rate_init": optimizer["lr"], "alpha": 0.01, "batch_size": 16, "random_state": 7}
    inputs, labels = examples(classes)
    return MLPClassifier(hidden, max_iter=epochs, **settings, **solver).fit(inputs.double().numpy(), labels.numpy())


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("epochs", [1, 4])
@pytest.mark.parametrize("optimizer", [ADAM, SGD], ids=["adam", "sgd"])
@pytest.mark.parametrize(("hidden", "classes"), [([6, 5], 2), ([8], 3), ([], 3)])
def test_its_weights_are_those_of_scikit_learn_s_fit(
    hidden: list[int], classes: int, optimizer: dict[str, Any], epochs: int
) -> None:
    network, (inputs, labels) = build(hidden, classes), examples(classes)
    assert isinstance(network, FitsItself)
    for _ in range(epochs):
        assert not network.fit_epoch(inputs, labels, training(optimizer), seed=7)
    direct = fitted(hidden, classes, optimizer, epochs)
    expected = [array for pair in zip(direct.coefs_, direct.intercepts_, strict=True) for array in pair]
    for own, theirs in zip(network.parameters(), expected, strict=True):
        assert torch.equal(own, torch.from_numpy(theirs.T).float())
    with torch.inference_mode():
        probabilities = network(inputs).softmax(1).numpy()
    assert probabilities == pytest.approx(direct.predict_proba(inputs.double().numpy()), abs=1e-5)
    assert np.ptp(probabilities[:, 0]) > 0.1


@pytest.mark.parametrize("optimizer", [ADAM, SGD], ids=["adam", "sgd"])
def test_it_ends_where_scikit_learn_s_fit_ends(optimizer: dict[str, Any]) -> None:
    network, (inputs, labels) = build([6, 5], 2), examples(2)
    assert isinstance(network, FitsItself)
    ended = [network.fit_epoch(inputs, labels, training(optimizer), seed=7) for _ in range(400)]
    direct = fitted([6, 5], 2, optimizer, 400)
    assert ended.index(True) + 1 == direct.n_iter_ < 400


def test_a_training_of_it_ends_there_too() -> None:
    model = {"name": "mlp_classifier", "hidden": [2, 2]}
    settings = {"epochs": 400, "optimizer": ADAM}
    fit = train(make_experiment(settings, model=model, input=RAW), make_points(60), None, 0)
    data = make_points(60).train
    direct = MLPClassifier([2, 2], learning_rate_init=0.05, alpha=0.01, batch_size=16, random_state=0, max_iter=400)
    direct.fit(data.inputs.astype(np.float64), data.labels)
    assert len(fit.epochs) == direct.n_iter_ < 400
    assert torch.equal(next(fit.classifier.network.parameters()), torch.from_numpy(direct.coefs_[0].T).float())


def test_it_learns_and_holds_nothing_but_its_layers_weights() -> None:
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
def test_weights_that_are_not_finite_reach_the_training_which_reports_them(any_learning_rate: None) -> None:
    network, (inputs, labels) = build([5], 3), examples(3)
    assert isinstance(network, FitsItself)
    network.fit_epoch(inputs, labels, training({"name": "sgd", "lr": 1e200}), seed=0)
    assert not all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"init_from": "imagenet"}, "knows no init_from 'imagenet'; leave it out, or choose the model mlp"),
        ({"input": {"flip": True}}, "knows no input.flip; leave it out, or choose the model mlp"),
        ({"input": {"crop_padding": 2}}, "knows no input.crop_padding; leave it out"),
        ({"training": {"schedule": {"name": "one_cycle"}}}, "knows no training.schedule 'one_cycle'; leave it out"),
        (
            {"init_from": "imagenet", "input": {"flip": True}},
            "knows no init_from 'imagenet', input.flip; leave it out, or choose the model mlp",
        ),
    ],
    ids=str,
)
def test_what_scikit_learn_cannot_do_is_refused(changes: dict[str, Any], expected: str) -> None:
    model = {"name": "mlp_classifier", "hidden": [2]}
    with pytest.raises(InputError) as error:
        resolve_experiments(make_params({"small": {"model": model, **changes}}))
    assert f"\n  experiments.small: scikit-learn's mlp_classifier {expected}" in str(error.value)


@pytest.mark.parametrize("kind", [Optimizer, Loss])
def test_an_optimizer_or_a_loss_that_scikit_learn_lacks_is_refused(kind: type[Optimizer] | type[Loss]) -> None:
    key = kind.__name__.lower()
    experiment = make_experiment(model={"name": "mlp_classifier", "hidden": [2]})
    training = experiment.training.model_copy(update={key: kind.model_construct(name="another")})
    with pytest.raises(ValueError, match=rf"knows no training\.{key} 'another'; leave it out"):
        check(experiment.model_copy(update={"training": training}))


def test_what_scikit_learn_knows_is_allowed() -> None:
    model = {"name": "mlp_classifier", "hidden": [2]}
    momentum = {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "schedule": {"name": "constant"}}
    found = resolve_experiments(make_params({"one": {"model": model, "training": momentum}, "two": {"model": model}}))
    assert list(found) == ["one", "two"]
