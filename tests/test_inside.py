"""What is inside a network, against networks whose insides are known, and the figures of it."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from torch import nn

from reprolab.classifier import Classifier, ModelInfo, build_classifier, predict, save_model
from reprolab.config import Experiment
from reprolab.data.splits import Part, load_info, load_part
from reprolab.device import Device
from reprolab.evaluation import Evaluation, evaluate
from reprolab.files import write_csv
from reprolab.inside import Mistake, decisions, feature_maps, first_kernels, has_convolutions, worst_mistakes
from reprolab.inside_figures import (
    decision_figure,
    errors_figure,
    experiment_figures,
    feature_maps_figure,
    kernels_figure,
)

CLASSES = ["cat", "dog"]
CURVES = [
    {"seed": "3", "epoch": "1", "part": "train", "loss": "1.0", "accuracy": "0.5", "macro_f1": "0.4"},
]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


class Residual(nn.Module):
    """A convolution whose normalised output is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.relu(self.norm(self.conv(maps)) + maps)
        return output


def classifier_of(*layers: nn.Module, channels: int = 1, side: int = 8) -> Classifier:
    torch.manual_seed(0)
    return Classifier(nn.Sequential(*layers), [0.0] * channels, [1.0] * channels, (side, side), channels).eval()


def linear_classifier(weight: list[float], bias: float) -> Classifier:
    """Two features in units of 10 ± 2; the difference of the logits is weight · features + bias."""
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0], weight]))
        network.bias.copy_(torch.tensor([0.0, bias]))
    return Classifier(network, [10.0, 10.0], [2.0, 2.0])


def images(count: int, channels: int = 1, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


# In float32 the softmax of examples 2 and 3 is 1.
LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [25.0, 0.0], [30.0, 0.0], [0.0, 3.0]])
LABELS = np.array([0, 0, 1, 1, 1])


def test_the_most_confident_mistakes_come_first() -> None:
    mistakes = worst_mistakes(LOGITS, LABELS, at_most=9)
    assert [(mistake.index, mistake.actual, mistake.predicted) for mistake in mistakes] == [
        (3, 1, 0),
        (2, 1, 0),
        (1, 0, 1),
    ]
    assert mistakes[2].confidence == pytest.approx(0.731059, abs=1e-6)
    assert worst_mistakes(LOGITS, LABELS, at_most=1) == [Mistake(3, 1, 0, mistakes[0].confidence)]
    assert worst_mistakes(LOGITS, LOGITS.argmax(1).numpy(), at_most=9) == []


def test_the_first_kernels_are_the_first_convolution_s_weights() -> None:
    first = nn.Conv2d(1, 2, 3)
    network = nn.Sequential(nn.Identity(), first, nn.Conv2d(2, 4, 3))
    name, kernels = first_kernels(network)
    assert name == "1"
    np.testing.assert_array_equal(kernels, first.weight.detach().numpy())
    assert has_convolutions(network) and not has_convolutions(nn.Linear(2, 2))


def test_feature_maps_are_what_the_layers_give() -> None:
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(4, 16, 3), nn.ReLU(True)]
    classifier = classifier_of(*layers, nn.Conv2d(16, 2, 1), nn.Flatten())
    image = torch.from_numpy(images(1))
    count, found = feature_maps(classifier, image, layers=6, maps=5)
    assert count == 3
    assert [(maps.layer, maps.after, maps.count, maps.maps.shape) for maps in found] == [
        ("0", "BatchNorm2d and Tanh", 4, (4, 6, 6)),
        ("4", "ReLU", 16, (5, 1, 1)),
        ("6", "", 2, (2, 1, 1)),
    ]
    with torch.no_grad():
        first = nn.Sequential(*layers[:3])(image / 255)[0]
        second = nn.Sequential(*layers[:6])(image / 255)[0]
    np.testing.assert_allclose(found[0].maps, first, atol=1e-6)
    np.testing.assert_allclose(found[1].maps, second[:5], atol=1e-6)


def test_feature_maps_are_of_layers_evenly_chosen() -> None:
    classifier = classifier_of(nn.Conv2d(1, 4, 1), *(Residual() for _ in range(10)), nn.Flatten())
    count, found = feature_maps(classifier, torch.from_numpy(images(1)), layers=6, maps=1)
    assert count == 11
    assert [maps.layer for maps in found] == ["0", "2.conv", "4.conv", "6.conv", "8.conv", "10.conv"]
    # The activation takes the sum and not the convolution's own maps.
    assert {maps.after for maps in found[1:]} == {"BatchNorm2d"}


def test_feature_maps_are_not_what_a_later_layer_makes_of_them_in_place() -> None:
    class AddsInPlace(nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return maps.add_(100)

    convolution = nn.Conv2d(1, 2, 3)
    classifier = classifier_of(convolution, AddsInPlace(), nn.Flatten())
    image = torch.from_numpy(images(1))
    _, (found,) = feature_maps(classifier, image, layers=1, maps=2)
    np.testing.assert_allclose(found.maps, convolution(image / 255)[0].detach(), atol=1e-6)


def test_looking_inside_leaves_no_hook_behind() -> None:
    classifier = classifier_of(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())
    feature_maps(classifier, torch.from_numpy(images(1)), layers=1, maps=1)
    assert not any(module._forward_hooks for module in classifier.modules())


def test_decisions_are_the_difference_of_the_logits_in_the_data_s_own_units() -> None:
    classifier = linear_classifier([3.0, -1.0], 0.5)
    x, y = np.array([8.0, 10.0, 14.0]), np.array([9.0, 12.0])
    (difference,) = decisions(classifier, [], x, y)
    np.testing.assert_allclose(difference, 3 * (x[None] - 10) / 2 - (y[:, None] - 10) / 2 + 0.5, atol=1e-5)


def test_decisions_of_snapshots_leave_the_classifier_as_it_is() -> None:
    classifier, other = linear_classifier([1.0, 0.0], 0.0), linear_classifier([0.0, 1.0], 0.0)
    x = y = np.array([9.0, 11.0])
    first, second = decisions(classifier, [other.state_dict(), classifier.state_dict()], x, y)
    np.testing.assert_allclose(first, second.T)
    (after,) = decisions(classifier, [], x, y)
    np.testing.assert_array_equal(after, second)


def test_errors_show_the_stored_images_with_what_they_were_taken_for() -> None:
    test = Part(images(5), LABELS)
    figure = errors_figure("mlp, seed 3", test, LOGITS, CLASSES)
    (axes,) = figure.axes
    assert texts(axes) == ["dog → cat\n>99.9%", "dog → cat\n>99.9%", "cat → dog\n73.1%"]
    shown = [np.asarray(image.get_array())[..., 0] for image in axes.images]
    np.testing.assert_array_equal(shown, test.inputs[[3, 2, 1], 0])
    assert figure.get_suptitle() == "mlp, seed 3: the surest 3 of 3 errors on 5 test images"


def test_errors_are_in_colour_and_twenty_at_most() -> None:
    test = Part(images(30, channels=3), np.ones(30, np.int64))
    figure = errors_figure("mlp", test, torch.tensor([[1.0, 0.0]]).repeat(30, 1), CLASSES)
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    np.testing.assert_array_equal(shown, test.inputs[:20].transpose(0, 2, 3, 1))
    assert "20 of 30" in figure.get_suptitle()


def test_no_error_is_told() -> None:
    figure = errors_figure("mlp", Part(images(5), LOGITS.argmax(1).numpy()), LOGITS, CLASSES)
    assert texts(figure.axes[0]) == ["no error on 5 test images"]


def test_kernels_of_one_channel_share_a_scale_around_zero() -> None:
    kernels = np.array([[[[0.1, -0.5]]], [[[0.2, 0.3]]]], np.float32)
    axes, bar = kernels_figure("lenet5, seed 3", "0", kernels).axes
    np.testing.assert_array_equal([image.get_array() for image in axes.images], kernels[:, 0])
    assert {image.get_clim() for image in axes.images} == {(-0.5, 0.5)}
    assert bar.get_ylabel() == "weight"
    assert axes.get_title() == "lenet5, seed 3: the 2 kernels 1×2 of layer 0"


def test_kernels_of_three_channels_are_in_colour_each_on_its_own_scale() -> None:
    kernels = np.random.default_rng(0).normal(size=(70, 3, 5, 5)) * np.arange(1, 71)[:, None, None, None]
    (axes,) = kernels_figure("alexnet32", "features.0", kernels).axes
    shown = [np.asarray(image.get_array()) for image in axes.images]
    assert len(shown) == 64 and shown[0].shape == (5, 5, 3)
    assert {(image.min(), image.max()) for image in shown} == {(0, 1)}
    assert "the first 64 of 70" in axes.get_title() and "each on its own scale" in axes.get_title()


def test_feature_maps_are_drawn_beside_the_image() -> None:
    classifier = classifier_of(nn.Conv2d(1, 20, 3), nn.ReLU(), nn.Conv2d(20, 2, 3), nn.Flatten())
    image = images(1)[0]
    figure = feature_maps_figure("net, seed 3", classifier, image, "actual cat,\npredicted dog")
    picture, first, second = figure.axes
    np.testing.assert_array_equal(np.asarray(picture.images[0].get_array())[..., 0], image[0])
    assert "actual cat" in picture.get_title()
    assert len(first.images) == 12 and len(second.images) == 2
    assert first.get_title(loc="left").startswith("layer 0 after ReLU: 12 of 20 maps 6×6, dark 0,")
    assert second.get_title(loc="left").startswith("layer 2: 2 maps 4×4,")
    assert len({image.get_clim() for image in first.images}) == 1
    assert "2 convolutions" in figure.get_suptitle()


def points_of(axes: Axes) -> list[list[list[float]]]:
    found = [item for item in axes.collections if isinstance(item, PathCollection)]
    return [np.asarray(item.get_offsets()).tolist() for item in found]


def test_decision_lines_move_from_pale_to_dark() -> None:
    classifier = linear_classifier([1.0, 0.0], 0.0)
    test = Part(np.array([[8, 8], [13, 9], [12, 12]], np.float32), np.array([0, 1, 1]))
    none = linear_classifier([0.0, 0.0], 0.0).state_dict()
    # The line stands at x = 10 − 2 · bias.
    moving = [linear_classifier([1.0, 0.0], bias).state_dict() for bias in (-1.0, -0.5, 50.0, 0.0)]
    figure = decision_figure("net, seed 3", classifier, dict(enumerate([none, *moving])), test, CLASSES)
    axes, bar = figure.axes
    assert points_of(axes) == [[[8, 8]], [[13, 9], [12, 12]]]
    lines = [item for item in axes.collections if isinstance(item, QuadContourSet)]
    # No line at the start, where all weights are 0, and none outside the plot.
    places = [np.concatenate([path.vertices for path in line.get_paths()])[:, 0] for line in lines]
    for place, expected in zip(places, (12, 11, 10), strict=True):
        np.testing.assert_allclose(place, expected, atol=1e-3)
    shades = [float(np.mean(np.asarray(line.get_edgecolor())[0, :3])) for line in lines]
    assert shades[0] > shades[1] > shades[2] == 0
    widths = [float(np.max(line.get_linewidth())) for line in lines]
    assert widths[0] == widths[1] < widths[2]
    assert bar.get_ylabel() == "epoch" and bar.get_ylim() == (0, 4)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("feature 1", "feature 2")
    assert "net, seed 3" in axes.get_title()


def test_without_snapshots_the_decision_is_one_bold_line() -> None:
    test = Part(np.array([[8, 8], [12, 12]], np.float32), np.array([0, 1]))
    (axes,) = decision_figure("net", linear_classifier([1.0, 1.0], 0.0), {}, test, CLASSES).axes
    assert len([item for item in axes.collections if isinstance(item, QuadContourSet)]) == 1


@pytest.mark.parametrize(
    ("model", "head_inputs", "more"),
    [
        ({"name": "mlp", "hidden": [4]}, 4, {"errors.png"}),
        ({"name": "lenet5"}, 84, {"errors.png", "kernels.png", "feature_maps.png"}),
    ],
    ids=["mlp", "lenet5"],
)
def test_the_figures_of_an_experiment(
    model: dict[str, object], head_inputs: int, more: set[str], split_folder: Path, tmp_path: Path
) -> None:
    info, test = load_info(split_folder), load_part(split_folder, "test")
    training = {"epochs": 1, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.1}, "seeds": [3, 4]}
    entry = {"dataset": "noise", "model": model, "input": {"size": 32}, "training": training}
    experiment = Experiment.model_validate(entry | {"init_from": "another", "freeze": "all-but-head"})
    classifiers = {seed: build_classifier(experiment, info) for seed in (3, 4)}
    folder = tmp_path / "models" / "net"
    folder.mkdir(parents=True)
    save_model(folder, ModelInfo.of("net", experiment, info, "inputs"), classifiers)
    write_csv(folder / "steps.csv", [{"seed": 3, "step": 1, "loss": 0.5}])

    evaluation = evaluate(folder, test, Device("cpu", "float32"))
    assert list(evaluation.classifiers) == list(evaluation.scores) == [3, 4]
    inputs = torch.from_numpy(test.inputs)
    for seed, classifier in evaluation.classifiers.items():
        torch.testing.assert_close(predict(classifier, inputs), predict(classifiers[seed], inputs))
    torch.testing.assert_close(evaluation.logits, predict(classifiers[3], inputs))
    assert evaluation.parameters == sum(parameter.numel() for parameter in classifiers[3].parameters())
    assert evaluation.trainable == len(info.classes) * (head_inputs + 1)

    figures = experiment_figures("net", folder, CURVES, test, evaluation)
    assert figures.keys() == {"curves.png", "loss.png", "confusion.png", "classes.png"} | more
    assert "net, seed 3" in figures["errors.png"].get_suptitle()
    assert figures["classes.png"].axes[0].get_title() == "net, test part, all seeds together"


def test_an_experiment_on_two_features_shows_its_decision_and_no_image(tmp_path: Path) -> None:
    test = Part(np.array([[8, 8], [12, 12]], np.float32), np.array([0, 1]))
    classifier = linear_classifier([1.0, 1.0], 0.0)
    write_csv(tmp_path / "steps.csv", [{"seed": 3, "step": 1, "loss": 0.5}])
    evaluation = Evaluation(
        scores={3: {"accuracy": 1.0}},
        confusion=np.eye(2, dtype=np.int64),
        classes=CLASSES,
        parameters=6,
        trainable=6,
        images=2,
        images_per_second=1.0,
        classifiers={3: classifier},
        logits=predict(classifier, torch.from_numpy(test.inputs)),
    )
    figures = experiment_figures("net", tmp_path, CURVES, test, evaluation)
    assert figures.keys() == {"curves.png", "loss.png", "confusion.png", "classes.png", "decision.png"}
    assert figures["confusion.png"].axes[0].get_title() == "net, test part"
