"""What is inside a network, against networks whose insides are known."""

import numpy as np
import pytest
import torch
from torch import nn

from reprolab.evaluation.inspection import (
    Misclassification,
    decisions,
    feature_maps,
    first_kernels,
    has_convolutions,
    surest_misclassifications,
)
from tests.networks import LABELS, LOGITS, classifier_of, images, linear_classifier


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


def test_the_surest_misclassifications_come_first() -> None:
    found = surest_misclassifications(LOGITS, LABELS, at_most=9)
    assert [(one.index, one.actual, one.predicted) for one in found] == [
        (3, 1, 0),
        (2, 1, 0),
        (1, 0, 1),
    ]
    assert found[2].confidence == pytest.approx(0.731059, abs=1e-6)
    assert surest_misclassifications(LOGITS, LABELS, at_most=1) == [Misclassification(3, 1, 0, found[0].confidence)]
    assert surest_misclassifications(LOGITS, LOGITS.argmax(1).numpy(), at_most=9) == []


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


def test_feature_maps_are_of_layers_evenly_spaced() -> None:
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
