"""Batches: every example once an epoch, shuffled and augmented reproducibly."""

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reprolab.core.config import Input
from reprolab.data.batches import Batches, random_crop, random_flip
from reprolab.data.parts import Part

AUGMENTED = Input(crop_padding=2, flip=True)


def numbered_part(count: int = 10) -> Part:
    """Every pixel of an image is its number, and so is its label."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers[:, None, None, None], (count, 1, 4, 4)).astype(np.uint8)
    return Part(images, numbers)


def noise(count: int, height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.randint(256, (count, 3, height, width), dtype=torch.uint8, generator=generator())


def order_of(batches: Batches, seed: int, number: int) -> list[int]:
    return [int(label) for _, labels in batches.epoch(seed, number) for label in labels]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def window_of(original: torch.Tensor, cropped: torch.Tensor, padding: int) -> tuple[int, int]:
    """Row and column of the one window of the zero-padded original, over all channels, that was cropped."""
    height, width = original.shape[1:]
    padded = F.pad(original, (padding,) * 4)
    found = [
        (row, column)
        for row in range(2 * padding + 1)
        for column in range(2 * padding + 1)
        if torch.equal(padded[:, row : row + height, column : column + width], cropped)
    ]
    assert len(found) == 1
    return found[0]


def test_epoch_draws_every_example_once_with_its_label() -> None:
    batches = Batches(numbered_part(), 4, Input(), "cpu")
    drawn = [
        (image, label) for images, labels in batches.epoch(0, 1) for image, label in zip(images, labels, strict=True)
    ]
    assert sorted(int(label) for _, label in drawn) == list(range(10))
    for image, label in drawn:
        assert torch.equal(image, torch.full((1, 4, 4), int(label), dtype=torch.uint8))


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (16, [10])])
def test_last_batch_is_smaller_where_need_be(batch_size: int, sizes: list[int]) -> None:
    batches = Batches(numbered_part(), batch_size, Input(), "cpu")
    assert [len(images) for images, _ in batches.epoch(0, 1)] == sizes
    assert len(batches) == len(sizes)


def test_every_epoch_has_another_order() -> None:
    batches = Batches(numbered_part(50), 8, Input(), "cpu")
    first, second = order_of(batches, 0, 1), order_of(batches, 0, 2)
    assert first != second
    assert list(range(50)) not in (first, second)


def test_seed_and_number_alone_decide_order_and_augmentation() -> None:
    part = Part(noise(1).repeat(50, 1, 1, 1).numpy(), np.arange(50))
    batches = Batches(part, 8, AUGMENTED, "cpu")

    def epoch(seed: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = list(batches.epoch(seed, number))
        return torch.cat([images for images, _ in drawn]), torch.cat([labels for _, labels in drawn])

    images, labels = epoch(0, 1)
    others = [epoch(1, 1), epoch(0, 2), epoch(1, 0)]  # nor does it matter what was drawn before
    torch.manual_seed(123)
    images_again, labels_again = epoch(0, 1)
    assert torch.equal(images, images_again)
    assert torch.equal(labels, labels_again)
    assert not any(torch.equal(images, other) or torch.equal(labels, order) for other, order in others)


def test_augmentation_leaves_the_order_and_the_random_numbers_of_others_alone() -> None:
    part = Part(noise(50).numpy(), np.arange(50))
    state = torch.random.get_rng_state()
    plain, augmented = (order_of(Batches(part, 8, settings, "cpu"), 0, 1) for settings in (Input(), AUGMENTED))
    assert plain == augmented
    assert torch.equal(torch.random.get_rng_state(), state)


def test_every_batch_of_an_epoch_is_augmented_otherwise() -> None:
    part = Part(noise(1).repeat(100, 1, 1, 1).numpy(), np.arange(100))
    first, second = (images for images, _ in Batches(part, 50, AUGMENTED, "cpu").epoch(0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("augmentation", "places"), [(Input(), 1), (Input(crop_padding=1), 9), (Input(flip=True), 2), (AUGMENTED, 50)]
)
def test_batches_are_augmented_as_asked_and_the_examples_stay_as_they_are(augmentation: Input, places: int) -> None:
    part = Part(noise(1).repeat(1000, 1, 1, 1).numpy(), np.arange(1000))
    before = part.inputs.copy()
    images, _ = next(Batches(part, 1000, augmentation, "cpu").epoch(0, 1))
    assert images.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in images}) == places
    np.testing.assert_array_equal(part.inputs, before)


@pytest.mark.parametrize("padding", [1, 2])
def test_crop_is_a_window_of_the_padded_image_and_every_window_occurs(padding: int) -> None:
    images = noise(300)
    before = images.clone()
    cropped = random_crop(images, padding, generator())
    assert (cropped.shape, cropped.dtype) == (images.shape, torch.uint8)
    windows = Counter(window_of(image, crop, padding) for image, crop in zip(images, cropped, strict=True))
    assert len(windows) == (2 * padding + 1) ** 2
    assert torch.equal(images, before)


def test_crop_without_padding_is_the_image() -> None:
    images = noise(4)
    assert torch.equal(random_crop(images, 0, generator()), images)


def test_flip_mirrors_about_half_of_the_images() -> None:
    images = noise(200)
    before = images.clone()
    flipped = random_flip(images, generator())
    assert (flipped.shape, flipped.dtype) == (images.shape, torch.uint8)
    mirrored = 0
    for image, result in zip(images, flipped, strict=True):
        mirror = torch.from_numpy(np.ascontiguousarray(image.numpy()[:, :, ::-1]))
        assert torch.equal(result, image) or torch.equal(result, mirror)
        mirrored += torch.equal(result, mirror)
    assert 70 < mirrored < 130
    assert torch.equal(images, before)
