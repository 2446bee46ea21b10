"""The figures of a trained network, against networks whose insides are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from torch import nn

from reprolab.core.errors import InputError
from reprolab.core.files import write_table
from reprolab.core.layout import STEPS
from reprolab.data.parts import Part, SplitInfo, load_part
from reprolab.evaluation.evaluate import Evaluation, evaluate
from reprolab.evaluation.network_figures import (
    decision_figure,
    errors_figure,
    experiment_figures,
    feature_maps_figure,
    kernels_figure,
)
from reprolab.models.classifier import predict
from reprolab.training.record import StepLoss
from tests.factories import make_experiment, make_model_info, make_scores, save_untrained
from tests.networks import CLASSES, LABELS, LOGITS, classifier_of, images, linear_classifier
from tests.result_factories import make_point

CURVES = [make_point(3, 1, "train", 0.5)]
TWO_FEATURES = Part(np.array([[8, 8], [12, 12]], np.float32), np.array([0, 1]))


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


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


def test_a_network_without_errors_has_no_tiles() -> None:
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
    (axes,) = decision_figure("net", linear_classifier([1.0, 1.0], 0.0), {}, TWO_FEATURES, CLASSES).axes
    assert len([item for item in axes.collections if isinstance(item, QuadContourSet)]) == 1


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ({"name": "mlp", "hidden": [4]}, {"errors.png"}),
        ({"name": "lenet5"}, {"errors.png", "kernels.png", "feature_maps.png"}),
    ],
    ids=["mlp", "lenet5"],
)
def test_the_figures_of_an_experiment(
    model: dict[str, object], more: set[str], split_folder: Path, tmp_path: Path
) -> None:
    info, test = SplitInfo.load(split_folder / "split.json"), load_part(split_folder, "test")
    experiment = make_experiment({"seeds": [3, 4]}, model=model, input={"size": 32})
    save_untrained(tmp_path / "net", make_model_info(experiment, info), [3, 4])
    figures = experiment_figures("net", tmp_path / "net", CURVES, test, evaluate(tmp_path / "net", test))
    assert figures.keys() == {"curves.png", "loss.png", "confusion.png", "classes.png"} | more
    assert "net, seed 3" in figures["errors.png"].get_suptitle()
    assert figures["loss.png"].axes[0].get_title() == "net, seed 3: training loss"
    assert figures["classes.png"].axes[0].get_title() == "net, test part, all seeds together"


@pytest.fixture
def evaluation() -> Evaluation:
    """Of one seed on two features."""
    classifier = linear_classifier([1.0, 1.0], 0.0)
    return Evaluation(
        scores={3: make_scores()},
        confusion=np.eye(2, dtype=np.int64),
        classes=CLASSES,
        parameters=6,
        trainable=6,
        images=2,
        device="cpu",
        provenance="official",
        classifiers={3: classifier},
        logits=predict(classifier, torch.from_numpy(TWO_FEATURES.inputs)),
    )


def test_an_experiment_on_two_features_shows_its_decision_and_no_image(evaluation: Evaluation, tmp_path: Path) -> None:
    write_table(tmp_path / STEPS, [StepLoss(seed=3, step=1, loss=0.5)])
    figures = experiment_figures("net", tmp_path, CURVES, TWO_FEATURES, evaluation)
    assert figures.keys() == {"curves.png", "loss.png", "confusion.png", "classes.png", "decision.png"}
    assert figures["confusion.png"].axes[0].get_title() == "net, test part"


def test_scores_by_step_are_drawn_where_an_epoch_has_several_steps(evaluation: Evaluation, tmp_path: Path) -> None:
    write_table(tmp_path / STEPS, [StepLoss(seed=3, step=step, loss=0.5) for step in (1, 2)])
    figures = experiment_figures("net", tmp_path, CURVES, TWO_FEATURES, evaluation)
    assert figures["steps.png"].get_suptitle() == "net, seed 3"


@pytest.mark.parametrize("text", [None, "seed,step,loss\n3,1,low\n"], ids=["missing", "damaged"])
def test_bad_step_losses_are_refused(evaluation: Evaluation, tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / STEPS).write_text(text)
    with pytest.raises(InputError, match=r"steps\.csv is (missing|damaged)"):
        experiment_figures("net", tmp_path, CURVES, TWO_FEATURES, evaluation)
