"""The experiments of params.yaml are those of the lab sheets: data, inputs, networks and settings."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn

from reprolab.core.config import Experiment, load_params
from reprolab.data.parts import Part
from reprolab.data.split import make_split
from reprolab.models.build import build_network, resolve_experiments
from reprolab.models.classifier import Classifier, build_classifier
from reprolab.models.layers import layers_with_weights
from reprolab.sources import iris, points
from tests.factories import REPOSITORY, make_split_info

PARAMS = load_params(REPOSITORY / "params.yaml")
RESOLVED = resolve_experiments(PARAMS)
TWIN = "-standardised"
STATISTICS = {"mean": [0.13], "std": [0.31]}
ADAM: dict[str, Any] = {"name": "adam", "lr": 0.001, "weight_decay": 0.0}
NARROW = {"name": "mlp", "hidden": [50, 50, 50], "activation": ["tanh", "relu", "relu"]}
DEEP = {"name": "mlp", "hidden": [60] * 6, "activation": "relu"}
CNN = {"name": "cnn", "dropout": 0.2, "batch_norm": False}
# Network, optimizer, batch size and epochs of module7's experiments on 600 images.
MNIST900: dict[str, tuple[dict[str, Any], dict[str, Any], int, int]] = {
    "mlp-100": ({"name": "mlp", "hidden": [100], "activation": "relu"}, ADAM, 600, 100),
    "linear": ({"name": "mlp", "hidden": [], "activation": "relu"}, ADAM, 600, 30),
    "deep-mlp": (DEEP, ADAM, 600, 200),
    "deep-mlp-decay": (DEEP, ADAM | {"weight_decay": 0.01}, 600, 100),
    "mlp-50-fullbatch": (NARROW, ADAM | {"lr": 0.01, "weight_decay": 0.01}, 600, 15),
    "mlp-50-batch256": (NARROW, ADAM | {"lr": 0.01, "weight_decay": 0.01}, 256, 10),
    "cnn-dropout": (CNN, ADAM | {"weight_decay": 0.1}, 600, 10),
    "cnn-dropout-batch256": (CNN, ADAM | {"weight_decay": 0.1}, 256, 10),
}


def classifier_of(name: str, shape: tuple[int, ...], classes: int = 10) -> Classifier:
    with torch.device("meta"):
        return build_classifier(RESOLVED[name], make_split_info(shape, classes))


def without_frozen(name: str, shape: tuple[int, ...]) -> list[str]:
    """Names of the modules with weights that train."""
    network = classifier_of(name, shape).network
    names = {module: name for name, module in network.named_modules()}
    return [names[layer] for layer in layers_with_weights(network) if next(layer.parameters()).requires_grad]


@pytest.mark.parametrize("name", MNIST900)
def test_mnist900_is_trained_as_in_module7(name: str) -> None:
    found, (model, optimizer, batch_size, epochs) = RESOLVED[name], MNIST900[name]
    assert (found.dataset, found.model.name, found.init_from) == ("mnist900", model["name"], "random")
    assert {"name": found.model.name, **found.model.options} == model
    training = found.training
    assert {"name": training.optimizer.name, **training.optimizer.options} == optimizer
    assert (training.batch_size, training.epochs, training.schedule.name) == (batch_size, epochs, "constant")
    assert (training.data, training.keep) == ("train", "last") and len(training.seeds) == 3


def test_mnist900_is_a_balanced_subset_of_600_200_and_100() -> None:
    split = PARAMS.dataset("mnist900").split
    assert (split.train, split.validation, split.test, split.balanced) == (600, 200, 100, True)


@pytest.mark.parametrize("name", MNIST900)
def test_mnist900_is_fed_raw_pixels(name: str) -> None:
    pixels = torch.arange(784, dtype=torch.int64).remainder(256).to(torch.uint8).view(1, 1, 28, 28)
    classifier = build_classifier(RESOLVED[name], make_split_info((1, 28, 28), 10, **STATISTICS))
    torch.testing.assert_close(classifier.prepare(pixels), pixels.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", MNIST900)
def test_a_standardised_twin_differs_in_its_scale_alone(name: str) -> None:
    twin = RESOLVED[name + TWIN]
    classifier = build_classifier(twin, make_split_info((1, 28, 28), 10, **STATISTICS))
    black = classifier.prepare(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    torch.testing.assert_close(black.unique(), torch.tensor([-0.13 / 0.31]))
    assert twin.model_copy(update={"input": RESOLVED[name].input}) == RESOLVED[name]


@pytest.mark.parametrize("name", ["regularisation", "batch-size"])
def test_a_comparison_of_raw_pixels_has_a_twin_of_standardised_ones(name: str) -> None:
    raw, twin = PARAMS.comparison(name), PARAMS.comparison(name + TWIN)
    assert raw.experiments and set(raw.experiments) <= set(MNIST900)
    assert twin.experiments == tuple(member + TWIN for member in raw.experiments)
    assert raw.curves and twin.curves


@pytest.mark.parametrize(("name", "width"), [("alexnet224", 9216), ("alexnet227", 9216)])
def test_the_challenge_s_alexnets_have_the_dropout_after_each_hidden_layer(name: str, width: int) -> None:
    side = RESOLVED[name].input.size
    layers = classifier_of(name, (3, 32, 32)).network.get_submodule("classifier")
    hidden = ["Linear", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in layers.children()] == [*hidden, *hidden, "Linear"]
    linear = [layer for layer in layers.children() if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [width, 4096, 4096] and side in (224, 227)
    assert [layer.p for layer in layers.children() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


def test_the_challenge_s_alexnets_train_alike() -> None:
    first, second = RESOLVED["alexnet224"], RESOLVED["alexnet227"]
    assert first.training == second.training and first.training.epochs == 10
    assert first.input.model_copy(update={"size": 227}) == second.input


def test_resnet50_trains_what_keras_last_fifteen_layers_hold() -> None:
    trained = without_frozen("resnet50-finetune", (3, 32, 32))
    block = [f"layer4.2.{kind}{number}" for number in (1, 2, 3) for kind in ("conv", "bn")]
    assert trained == ["layer4.1.conv3", "layer4.1.bn3", *block, "fc.0", "fc.3", "fc.6"]
    parameters = classifier_of("resnet50-finetune", (3, 32, 32)).parameters()
    assert sum(parameter.numel() for parameter in parameters if parameter.requires_grad) == 8_143_370


def test_resnet18_s_statistics_adapt_while_its_weights_are_frozen() -> None:
    classifier = classifier_of("resnet18-transfer", (1, 28, 28)).train()
    normalisations = [module for module in classifier.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(normalisations) == 20 and all(module.training for module in normalisations)
    assert without_frozen("resnet18-transfer", (1, 28, 28)) == ["fc"]


def test_other_frozen_layers_keep_their_statistics() -> None:
    classifier = classifier_of("resnet50-finetune", (3, 32, 32)).train()
    training = [module.training for module in classifier.modules() if isinstance(module, nn.BatchNorm2d)]
    assert (training.count(False), training.count(True)) == (49, 4)


def test_what_imagenet_buys_is_seen_on_trainings_that_differ_in_their_start_and_rate_alone() -> None:
    names = PARAMS.comparison("imagenet").experiments or ()
    starts = [(RESOLVED[name].init_from, RESOLVED[name].freeze) for name in names]
    assert starts == [("random", "none"), ("imagenet", "none"), ("imagenet", "all-but-head")]
    assert without_frozen("efficientnet-frozen", (1, 28, 28)) == ["_fc"]
    scratch = RESOLVED["efficientnet-scratch"]
    for name in names:
        alike = scratch.model_dump(include={"init_from", "freeze"})
        found = RESOLVED[name].model_copy(update=alike)
        assert with_training(found, {"optimizer": scratch.training.optimizer}) == scratch
    assert len(scratch.training.seeds) == 3


def test_vgg16_has_no_batch_normalisation() -> None:
    with torch.device("meta"):
        network = build_network(RESOLVED["vgg16"].model, (3, 32, 32), 10)
    assert {type(layer).__name__ for layer in layers_with_weights(network)} == {"Conv2d", "Linear"}
    assert len(layers_with_weights(network)) == 14


def test_iris_is_cut_as_the_sheet_cuts_it(target: Any) -> None:
    iris.fetch(target)
    parts = make_split(iris.load(target), PARAMS.dataset("iris").split)
    train, test, train_labels, test_labels = train_test_split(
        *load_iris(return_X_y=True), test_size=0.2, random_state=42
    )
    assert list(parts) == ["train", "test"]
    for part, rows, labels in ((parts["train"], train, train_labels), (parts["test"], test, test_labels)):
        assert rows_of(part) == rows_of(Part(rows.astype(np.float32), labels))
    assert np.bincount(parts["test"].labels).tolist() == [10, 9, 11]


def test_iris_is_standardised_by_all_its_rows_whichever_split(target: Any) -> None:
    rows = load_iris().data
    for name in ("iris-net", "iris-net-stratified"):
        settings = RESOLVED[name].input
        assert settings.mean == pytest.approx(rows.mean(0), abs=1e-6)
        assert settings.std == pytest.approx(rows.std(0), abs=1e-6)
    iris.fetch(target)
    parts = make_split(iris.load(target), PARAMS.dataset("iris-stratified").split)
    assert np.bincount(parts["test"].labels).tolist() == [10, 10, 10]


def test_iris_net_and_its_twin_differ_in_their_split_alone() -> None:
    sheet, twin = RESOLVED["iris-net"], RESOLVED["iris-net-stratified"]
    assert twin.model_copy(update={"dataset": "iris"}) == sheet
    training = sheet.training
    assert {"name": training.optimizer.name, **training.optimizer.options} == ADAM
    assert (training.epochs, training.batch_size, len(training.seeds)) == (100, 120, 10)


def test_wine_is_raw_with_a_standardised_twin_on_ten_seeds() -> None:
    raw, twin = RESOLVED["wine-mlp"], RESOLVED["wine-mlp-standardised"]
    rows = torch.rand(3, 11) * 100
    info = make_split_info([11], 2, mean=[5.0] * 11, std=[2.0] * 11)
    assert torch.equal(build_classifier(raw, info).prepare(rows), rows)
    torch.testing.assert_close(build_classifier(twin, info).prepare(rows), (rows - 5) / 2)
    assert twin.model_copy(update={"input": raw.input}) == raw
    assert len(raw.training.seeds) >= 10
    split = PARAMS.dataset("wine").split
    assert (split.test, split.validation, split.stratified) == (0.25, None, False)


def test_the_perceptron_sees_its_points_in_the_order_of_their_file(target: Any) -> None:
    dataset = PARAMS.dataset("points")
    source = points.load(target, **dataset.source.options)
    order = {row.tobytes(): index for index, row in enumerate(source.train_inputs)}
    found = [order[row.tobytes()] for row in make_split(source, dataset.split)["train"].inputs]
    assert all(first < second for first, second in pairwise(found)) and len(found) == 150
    training = RESOLVED["perceptron"].training
    assert (training.data, training.epochs, training.batch_size) == ("train", 15, 1)
    assert training.optimizer.options["lr"] == 0.5


@pytest.mark.parametrize(("name", "epochs"), [("lenet5-classic", 5), ("alexnet32", 7)])
def test_what_has_a_validation_curve_is_otherwise_the_sheet_s(name: str, epochs: int) -> None:
    sheet, validated = RESOLVED[name], RESOLVED[f"{name}-validated"]
    assert validated.training.epochs == epochs and validated.training.data == "train"
    changes = {"data": sheet.training.data, "epochs": sheet.training.epochs}
    assert with_training(validated, changes) == sheet


@pytest.mark.parametrize("name", ["lenet5-classic", "lenet5-relu"])
def test_a_fast_recipe_has_the_sheet_s_network_and_data(name: str) -> None:
    sheet, fast = RESOLVED[name], RESOLVED[f"{name}-fast"]
    assert with_training(fast, vars(sheet.training)) == sheet
    assert (fast.training.data, len(fast.training.seeds)) == (sheet.training.data, 5)


def with_training(experiment: Experiment, changes: dict[str, Any]) -> Experiment:
    return experiment.model_copy(update={"training": experiment.training.model_copy(update=changes)})


def rows_of(part: Part) -> list[tuple[bytes, int]]:
    """Its examples in some order of their own."""
    return sorted((row.tobytes(), int(label)) for row, label in zip(part.inputs, part.labels, strict=True))
