"""The classifier around a network: the preparation of its input, what is frozen, and what does not fit the data."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reprolab.core.errors import InputError
from reprolab.models.classifier import PREDICTION_BATCH, Classifier, build_classifier, predict
from tests.factories import make_experiment, make_split_info


def test_resizing_is_what_pillow_does() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) / 255
    classifier = Classifier(torch.nn.Identity(), [0.0], [1.0], (32, 32))
    prepared = classifier.prepare(torch.from_numpy(image)[None, None])
    assert prepared[0, 0].numpy() == pytest.approx(expected, abs=1 / 255)


def test_images_are_scaled_to_one_and_then_normalised_by_the_split_s_statistics() -> None:
    classifier = build_classifier(make_experiment(), make_split_info((2, 4, 4), mean=[0.5, 0.25], std=[0.5, 0.125]))
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 2, 4, 4)
    prepared = classifier.prepare(images)[:, :, 0, 0]
    torch.testing.assert_close(prepared, torch.tensor([[-1.0, -2.0], [1.0, 6.0]]))


def test_features_are_normalised_as_they_are() -> None:
    classifier = build_classifier(make_experiment(), make_split_info([2], mean=[10.0, -1.0], std=[2.0, 0.5]))
    prepared = classifier.prepare(torch.tensor([[12.0, -1.5]]))
    torch.testing.assert_close(prepared, torch.tensor([[1.0, -1.0]]))


def test_statistics_that_are_given_come_before_the_split_s() -> None:
    experiment = make_experiment(input={"mean": [0.0], "std": [0.5]})
    classifier = build_classifier(experiment, make_split_info())
    assert classifier.prepare(torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)).unique().tolist() == [2.0]


def test_a_grey_channel_is_repeated_and_each_copy_normalised_for_itself() -> None:
    experiment = make_experiment(input={"channels": 3, "mean": [0.0, 0.5, 1.0], "std": [1.0, 1.0, 1.0]})
    classifier = build_classifier(experiment, make_split_info())
    prepared = classifier.prepare(torch.full((1, 1, 8, 8), 255, dtype=torch.uint8))
    assert prepared[0, :, 0, 0].tolist() == [1.0, 0.5, 0.0]
    same = build_classifier(make_experiment(input={"channels": 3}), make_split_info())
    assert same.mean.flatten().tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("shape", "settings", "expected"),
    [
        ((3, 8, 8), {"mean": [0.5], "std": [0.5]}, r"input\.mean: found 1 number.*3 channel"),
        ((4,), {"mean": [0.5], "std": [0.5]}, r"input\.mean: found 1 number.*4 features"),
        ((2, 8, 8), {"channels": 3}, r"input\.channels: the images of 'noise' have 2 channels; remove this key"),
        ((2,), {"size": 8}, r"input\.size: 'noise' holds features, not images; remove this key"),
        ((2,), {"flip": True}, r"input\.flip: 'noise' holds features, not images; remove this key"),
        (
            (1, 8, 6),
            {"crop_padding": 4},
            r"input\.crop_padding: found 4, more than half a side .* have 8×6 pixels",
        ),
        ((2,), {"crop_padding": 1}, r"input\.crop_padding: 'noise' holds features, not images; remove this key"),
        ((2,), {"channels": 3}, r"input\.channels: 'noise' holds features, not images; remove this key"),
    ],
    ids=str,
)
def test_an_input_that_does_not_fit_the_data_is_refused(
    shape: tuple[int, ...], settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        build_classifier(make_experiment(input=settings), make_split_info(shape))


def test_more_layers_than_there_are_cannot_be_left_free() -> None:
    experiment = make_experiment(init_from="donor", freeze={"all_but_last": 3}, model={"name": "mlp", "hidden": [8, 6]})
    with pytest.raises(InputError, match=r"freeze.all_but_last: found 3, but 'mlp' has 2 layers with weights"):
        build_classifier(experiment, make_split_info())


def test_predictions_do_not_depend_on_the_number_of_inputs() -> None:
    classifier = build_classifier(make_experiment(), make_split_info())
    inputs = torch.randint(256, (2 * PREDICTION_BATCH + 1, 1, 8, 8), dtype=torch.uint8)
    logits = predict(classifier, inputs)
    assert (logits.shape, logits.dtype) == ((len(inputs), 3), torch.float32)
    torch.testing.assert_close(logits[-3:], predict(classifier, inputs[-3:]))
