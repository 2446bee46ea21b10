"""How large the parts of a split are: shares, counts, subsets and balance."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from reprolab.core.config import SplitConfig
from reprolab.core.errors import InputError
from reprolab.data.fetch import SourceData
from reprolab.data.parts import Part
from reprolab.data.split import make_split
from tests.factories import images_of, make_source, with_training_part


def without_test_part(source: SourceData) -> SourceData:
    return dataclasses.replace(source, test_inputs=None, test_labels=None)


def with_copies(source: SourceData) -> SourceData:
    """Every example three times, a class after the other."""
    return with_training_part(source, np.arange(len(source.train_labels)).repeat(3))


def counts_of(parts: dict[str, Part]) -> dict[str, list[int]]:
    return {name: np.bincount(part.labels).tolist() for name, part in parts.items()}


@pytest.mark.parametrize("size", [15, 0.25])
def test_without_a_published_test_part_one_is_cut_out_first(size: float) -> None:
    source = without_test_part(make_source())
    parts = make_split(source, SplitConfig(test=size, validation=size, seed=0))
    assert counts_of(parts)["test"] == [5, 5, 5]
    dealt = parts["train"] + parts["validation"] + parts["test"]
    assert sorted(images_of(dealt)) == sorted(images_of(Part(source.train_inputs, source.train_labels)))
    # The test part does not depend on what is done with the rest.
    other = make_split(source, SplitConfig(test=size, validation=0.4, seed=0))
    assert images_of(other["test"]) == images_of(parts["test"])


def test_without_a_published_test_part_one_must_be_asked_for() -> None:
    with pytest.raises(
        InputError, match=r"^datasets\.iris\.split\.test: the source has no test part of its own; give a"
    ):
        make_split(without_test_part(make_source()), SplitConfig(validation=0.2, seed=0), "datasets.iris.split")


@pytest.mark.parametrize("size", [15, 0.25])
def test_a_published_test_part_gives_a_stratified_subset(size: float) -> None:
    source = make_source()
    parts = make_split(source, SplitConfig(test=size, validation=12, seed=0))
    assert source.test_inputs is not None
    assert set(images_of(parts["test"])) < {image.tobytes() for image in source.test_inputs}
    assert counts_of(parts) == {"train": [16, 16, 16], "validation": [4, 4, 4], "test": [5, 5, 5]}


@pytest.mark.parametrize("balanced", [True, False])
def test_a_balanced_subset_has_equally_many_of_each_class(balanced: bool) -> None:
    source = with_training_part(make_source(per_class=40), np.r_[0:40, 40:70, 80:105])
    config = SplitConfig(train=30, validation=15, test=9, balanced=balanced, seed=0)
    counts = counts_of(make_split(source, config))
    assert {name: sum(count) for name, count in counts.items()} == {"train": 30, "validation": 15, "test": 9}
    equal = {"train": [10, 10, 10], "validation": [5, 5, 5], "test": [3, 3, 3]}
    assert (counts == equal) is balanced


def test_balance_leaves_shares_in_proportion() -> None:
    source = with_training_part(make_source(per_class=40), np.r_[0:40, 40:60, 80:90])
    config = SplitConfig(train=15, validation=0.2, balanced=True, seed=0)
    assert counts_of(make_split(source, config)) == {
        "train": [5, 5, 5],
        "validation": [8, 4, 2],
        "test": [40, 40, 40],
    }


def test_a_subset_may_be_all_there_is() -> None:
    parts = make_split(make_source(), SplitConfig(train=48, validation=12, test=60, seed=0))
    everything = make_split(make_source(), SplitConfig(validation=12, seed=0))
    for name, part in parts.items():
        assert images_of(part) == images_of(everything[name])


@pytest.mark.parametrize("balanced", [True, False])
def test_counts_are_of_different_examples(balanced: bool) -> None:
    source = with_copies(without_test_part(make_source()))
    config = SplitConfig(train=24, validation=12, test=9, balanced=balanced, seed=0)
    parts = make_split(source, config)
    assert {name: len(part) for name, part in parts.items()} == {"train": 24, "validation": 12, "test": 9}
    assert len({image for part in parts.values() for image in images_of(part)}) == 45


def test_shares_take_the_copies_along() -> None:
    parts = make_split(with_copies(without_test_part(make_source())), SplitConfig(test=0.2, validation=0.25, seed=0))
    assert {name: len(part) for name, part in parts.items()} == {"train": 108, "validation": 36, "test": 36}
    different = [set(images_of(part)) for part in parts.values()]
    assert [len(images) for images in different] == [36, 12, 12]
    assert len(set.union(*different)) == 60


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"test": 10}, r"split\.test: 10 examples cannot be balanced over 3 classes; give a multiple of 3"),
        ({"validation": 31}, r"split\.validation: 31 examples cannot be balanced"),
        ({"train": 2}, r"split\.train: 2 examples cannot be balanced"),
        ({"test": 63}, r"split\.test: 63 .* are 21 of each class, but class 0 has 20 different .* at most 60"),
        ({"train": 36}, r"split\.train: 36 .* are 12 of each class, but class 2 has 6 different .* at most 18"),
        ({"validation": 30}, r"split: nothing is left to train on of the class\(es\) \[2\]"),
        ({"train": 100, "balanced": False}, r"split\.train: 100 does not fit 38 different examples"),
        ({"test": 61, "balanced": False}, r"split\.test: 61 does not fit 60 different examples"),
    ],
)
def test_counts_that_do_not_fit_are_refused(sizes: dict[str, Any], expected: str) -> None:
    source = with_training_part(make_source(), np.r_[0:50])
    config = SplitConfig.model_validate({"validation": 12, "balanced": True, "seed": 0} | sizes)
    with pytest.raises(InputError, match=expected):
        make_split(source, config)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"test": 1.5}, "share below 1 or a whole number"),
        ({"test": 0}, "greater than 0"),
        ({"train": 0.5}, "valid integer"),
        ({"train": 0}, "greater than or equal to 1"),
        ({"balanced": True}, "should hold a count"),
        ({"balanced": True, "test": 0.2}, "should hold a count"),
    ],
)
def test_sizes_that_mean_nothing_are_refused(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        SplitConfig.model_validate({"validation": 0.1, "seed": 0} | values)
