"""Every architecture: its shape, its parameters, its gradients, its head, and that it can learn."""

from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F

from reprolab.core.config import Model
from reprolab.core.errors import InputError
from reprolab.models.build import build_network
from reprolab.models.layers import Head, head_of


class Case(NamedTuple):
    """Options, input shape, number of parameters: published, or counted by hand from the layers."""

    model: dict[str, Any]
    shape: tuple[int, ...]
    parameters: int
    classes: int = 10

    def __str__(self) -> str:
        options = [f"{name}={value}" for name, value in self.model.items() if name != "name"]
        return " ".join([self.model["name"], *options, "x".join(str(side) for side in self.shape)])

    def build(self) -> torch.nn.Module:
        return build_network(Model(**self.model), self.shape, self.classes)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Four examples of noise, and a label for each."""
        return torch.randn(4, *self.shape), torch.arange(4).clamp(max=self.classes - 1)


CASES = [
    Case({"name": "lenet5"}, (1, 32, 32), 61_706),
    Case({"name": "lenet5", "activation": "relu", "pooling": "max"}, (1, 28, 28), 44_426),
    Case({"name": "lenet5", "activation": "relu", "pooling": "max", "padding": 2}, (1, 28, 28), 61_706),
    Case({"name": "alexnet32"}, (3, 32, 32), 14_859_082),
    Case({"name": "mlp", "hidden": [512, 512]}, (1, 28, 28), 669_706),
    Case({"name": "mlp", "hidden": [64]}, (1, 8, 8), 4_810),
    Case({"name": "mlp", "hidden": []}, (1, 28, 28), 7_850),
    Case({"name": "mlp", "hidden": [50, 50, 50], "activation": ["tanh", "relu", "relu"]}, (1, 28, 28), 44_860),
    Case({"name": "mlp", "hidden": [50, 50]}, (4,), 2_953, classes=3),
    Case({"name": "mlp_classifier", "hidden": [20]}, (13,), 343, classes=3),
    Case({"name": "perceptron"}, (8,), 9, classes=2),
    Case({"name": "cnn"}, (1, 28, 28), 28_938),
    Case({"name": "cnn", "batch_norm": True}, (1, 28, 28), 29_034),
    Case({"name": "alexnet", "channels": [64, 128, 256, 256, 256]}, (3, 224, 224), 56_278_666),
    Case({"name": "alexnet", "channels": [96, 256, 384, 384, 256], "padding": 0}, (3, 227, 227), 58_322_314),
    Case({"name": "alexnet", "channels": [16] * 5}, (3, 63, 63), 19_204_874),
    Case({"name": "resnet", "depth": 18}, (3, 32, 32), 11_173_962),
    Case({"name": "resnet", "depth": 50, "head": [1024, 512], "head_dropout": [0.5, 0.3]}, (3, 64, 64), 26_136_138),
    Case({"name": "vgg16"}, (3, 32, 32), 14_719_818),
    Case({"name": "vgg16", "batch_norm": True}, (3, 32, 32), 14_728_266),
    Case({"name": "nin"}, (3, 32, 32), 966_986),
    Case({"name": "googlenet"}, (3, 16, 16), 5_602_474),
    Case({"name": "densenet121"}, (3, 16, 16), 6_956_426),
    Case({"name": "mobilenet_v2"}, (3, 16, 16), 2_236_682),
    Case({"name": "efficientnet_b0"}, (3, 16, 16), 4_020_358),
    Case({"name": "efficientnet_lite0"}, (3, 16, 16), 3_383_818),
    Case({"name": "vit"}, (3, 32, 32), 2_693_578),
    Case({"name": "speedrun"}, (3, 32, 32), 1_972_504),
    Case({"name": "speedrun", "widths": [8, 16, 16], "mirrored_evaluation": True}, (1, 28, 28), 9_544),
]
# The alexnet with fewer channels stands for the large ones, which take a second a step; test_experiments.py takes two.
TRAINABLE = [case for case in CASES if case.parameters < 5e7]


def test_every_model_has_a_case() -> None:
    assert {case.model["name"] for case in CASES} == set(Model.names())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shape_and_parameters(case: Case) -> None:
    with torch.device("meta" if case.parameters > 1e6 else "cpu"):
        network = case.build()
        assert network(case.batch()[0]).shape == (4, case.classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == case.parameters


@pytest.mark.parametrize("case", TRAINABLE, ids=str)
def test_every_parameter_has_a_gradient(case: Case) -> None:
    torch.manual_seed(0)
    network = case.build().eval()
    inputs, labels = case.batch()
    logits = network(inputs)
    assert logits.shape == (4, case.classes)
    assert logits.isfinite().all()
    F.cross_entropy(logits, labels).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("case", TRAINABLE, ids=str)
def test_it_overfits_one_batch(case: Case) -> None:
    torch.manual_seed(0)
    network = case.build()
    inputs, labels = case.batch()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the one batch are those of all data
        elif isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # overfitting is what it hinders
    optimizer = torch.optim.Adam(network.parameters(), 3e-4 if case.parameters > 5e5 else 3e-3, fused=True)
    for _ in range(60):
        network.train()
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
        if (network.eval()(inputs).argmax(1) == labels).all():
            return
    pytest.fail("60 steps were not enough")


@pytest.mark.parametrize(
    ("model", "side"),
    [
        ({"name": "lenet5"}, 16),
        ({"name": "lenet5", "padding": 2}, 12),
        ({"name": "alexnet32"}, 8),
        ({"name": "alexnet", "channels": [8] * 5}, 63),
        ({"name": "alexnet", "channels": [8] * 5, "padding": 0}, 67),
        ({"name": "cnn"}, 4),
        ({"name": "resnet", "depth": 18}, 8),
        ({"name": "vgg16"}, 32),
        ({"name": "nin"}, 8),
        ({"name": "googlenet"}, 8),
        ({"name": "densenet121"}, 8),
        ({"name": "mobilenet_v2"}, 8),
        ({"name": "efficientnet_b0"}, 8),
        ({"name": "efficientnet_lite0"}, 8),
        ({"name": "vit", "patch": 4, "layers": 1}, 4),
        ({"name": "speedrun"}, 17),
    ],
    ids=str,
)
def test_images_that_are_too_small_are_refused_and_the_smallest_are_not(model: dict[str, Any], side: int) -> None:
    named = Model(**model)
    with torch.device("meta"):
        with pytest.raises(InputError, match=rf"\(1, {side - 1}, {side - 1}\): .* set input.size"):
            build_network(named, (1, side - 1, side - 1), 10)
        assert build_network(named, (1, side, side), 10)(torch.empty(2, 1, side, side)).shape == (2, 10)


@pytest.mark.parametrize(
    "case", [case for case in CASES if len(case.shape) == 3 and case.model["name"] != "mlp"], ids=str
)
def test_tables_are_refused_where_images_are_needed(case: Case) -> None:
    with pytest.raises(InputError, match=r"inputs of shape \(4,\): it needs images"):
        case._replace(shape=(4,)).build()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_head_is_what_makes_the_logits(case: Case) -> None:
    called: list[Any] = []
    with torch.device("meta" if case.parameters > 1e6 else "cpu"):
        network = case.build().eval()
        for module in network.modules():
            if next(module.parameters(recurse=False), None) is not None and not list(module.children()):
                module.register_forward_hook(lambda module, *_: called.append(module))
        network(torch.zeros(2, *case.shape))
    assert called[-1].weight.shape[0] == (1 if case.classes == 2 else case.classes)  # for two classes (0, z)
    head = head_of(network)
    assert called[-1] is (head[-1] if isinstance(head, Head) else head)
    assert isinstance(head, Head) == ("head" in case.model)
