"""Networks by name: which options fit, what every experiment's errors are, and the ImageNet weights of a network."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from reprolab.core.config import Model
from reprolab.core.errors import InputError
from reprolab.models.build import FitsItself, build_network, imagenet_weights, resolve_experiments
from tests.factories import make_experiment, make_params

LIBRARY_MODEL: dict[str, Any] = {"name": "mlp_classifier", "hidden": [2]}


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        ({"name": "mlp", "hidden": [5, 5], "activation": ["relu"]}, (4,), "activation lists 1 of them for 2 hidden"),
        ({"name": "mlp", "hidden": [5], "activation": "gelu"}, (4,), r"^model.activation: found 'gelu'; it should be"),
        ({"name": "mlp", "hidden": [5], "activation": ["gelu"]}, (4,), r"^model.activation: found \['gelu'\]; it"),
        ({"name": "mlp", "hidden": [0]}, (4,), r"^model.hidden.0: found 0"),
        ({"name": "alexnet", "channels": [64]}, (3, 224, 224), r"^model.channels: found \[64\]; it should .*5 items"),
        ({"name": "cnn", "dropout": 1.5}, (1, 28, 28), r"^model.dropout: found 1.5; it should be less than 1"),
        ({"name": "resnet"}, (3, 32, 32), "^model.depth: this option of 'resnet' is missing"),
        ({"name": "resnet", "depth": 34}, (3, 32, 32), "^model.depth: found 34; it should be 18 or 50"),
        ({"name": "resnet", "depth": 18, "head": [8], "head_dropout": [0.1, 0.2]}, (3, 32, 32), "has 2 .* for 1 layer"),
        ({"name": "resnet", "depth": 18, "head_dropout": [0.1]}, (3, 32, 32), "has 1 .* for 0 layer"),
        ({"name": "vgg16", "dropout": 0.5}, (3, 32, 32), "^model.dropout: unknown option of 'vgg16'; allowed: batch_n"),
        ({"name": "vit", "heads": 5}, (3, 32, 32), "multiple of its heads: found width 192 and heads 5"),
        ({"name": "vit"}, (3, 32, 36), "needs square images"),
        (
            {"name": "mlp", "hidden": [16384] * 9},
            (4,),
            "would have 2,1.* parameters, more than 2,000,000,000",
        ),
        ({"name": "perceptron"}, (2,), "separates two classes, found 10"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_reported(model: dict[str, Any], shape: tuple[int, ...], message: str) -> None:
    with torch.device("meta"), pytest.raises(InputError, match=message):
        build_network(Model(**model), shape, 10)


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="allowed: alexnet, alexnet32, cnn, densenet121, "):
        make_experiment(model={"name": "nothing"})


def test_most_networks_do_not_fit_themselves() -> None:
    assert isinstance(build_network(Model(**LIBRARY_MODEL), (4,), 3), FitsItself)
    assert not isinstance(build_network(Model(name="mlp", hidden=[5]), (4,), 3), FitsItself)


def test_every_experiment_is_resolved_and_the_parameters_stay_as_they_are() -> None:
    params = make_params(
        {"one": {"model": {"name": "lenet5"}}, "two": {"training": {"schedule": {"name": "one_cycle"}}}}
    )
    found = resolve_experiments(params)
    assert list(found) == ["one", "two"]
    assert found["one"].model.options == {"activation": "tanh", "pooling": "average", "padding": 0}
    assert found["two"].training.schedule.options == {"warmup": 0.3}
    assert found["two"].training.optimizer.options == {
        "lr": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "nesterov": False,
    }
    assert params.experiment("one").model.options == {}


def test_the_errors_of_all_experiments_are_reported_at_once() -> None:
    params = make_params(
        {
            "optimizer": {"training": {"optimizer": {"name": "adam", "lr": 0.1, "momentum": 0.9}}},
            "right": {},
            "schedule": {"training": {"schedule": {"name": "step", "every": 0, "factor": 0.5}}},
            "model": {"model": {"name": "mlp"}},
            "library": {"model": LIBRARY_MODEL, "training": {"schedule": {"name": "one_cycle"}}},
        }
    )
    with pytest.raises(InputError) as error:
        resolve_experiments(params)
    first, *lines = str(error.value).splitlines()
    assert first == "params.yaml has 4 error(s):"
    expected = [
        "  experiments.optimizer.training.optimizer.momentum: unknown option of 'adam'; allowed: lr, weight_decay",
        "  experiments.schedule.training.schedule.every: found 0; it should be greater than or equal to 1",
        "  experiments.model.model.hidden: this option of 'mlp' is missing",
        "  experiments.library: scikit-learn's mlp_classifier knows no training.schedule 'one_cycle'; leave it out",
    ]
    assert all(line.startswith(start) for line, start in zip(lines, expected, strict=True)), lines


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"name": "alexnet", "dropout": 0.2}, "AlexNet_Weights.IMAGENET1K_V1"),
        ({"name": "resnet", "depth": 18}, "ResNet18_Weights.IMAGENET1K_V1"),
        ({"name": "resnet", "depth": 50, "head": [9]}, "ResNet50_Weights.IMAGENET1K_V1"),
    ],
    ids=str,
)
def test_imagenet_weights_are_those_that_fit(model: dict[str, Any], name: str) -> None:
    assert str(imagenet_weights(Model(**model))) == name


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"name": "nin"},
            "^model.name: 'nin' has no ImageNet weights; allowed: alexnet, efficientnet_lite0, resnet; or set",
        ),
        ({"name": "alexnet", "padding": 0}, "^model.padding: found 0, .* need 2; .* or set init_from: random"),
        ({"name": "alexnet", "channels": [1] * 5}, r"^model.channels: found \[1, .* need \[64, 192, 384, 256, 256\]"),
        ({"name": "resnet", "dept": 18}, "^model.dept: unknown option of 'resnet'"),
    ],
    ids=str,
)
def test_imagenet_weights_that_do_not_fit_are_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        imagenet_weights(Model(**model))


def test_torchvision_and_scikit_learn_are_imported_by_those_who_build_with_them() -> None:
    # They take seconds, and every training checks the options of every experiment.
    code = (
        "import sys, torch\n"
        "from reprolab.core.config import Model\n"
        "modules = {name: Model(name=name).module() for name in Model.names()}\n"
        "torch.set_default_device('meta')\n"
        "modules['mlp_classifier'].build((4,), 2, hidden=[3])\n"
        "for name in ('alexnet', 'alexnet32', 'cnn', 'lenet5', 'nin'): modules[name].build((3, 96, 96), 10)\n"
        "print({'torchvision', 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout == "set()\n", found.stderr
