"""Parts of a data set that share no example."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from reprolab.core.config import SplitConfig
from reprolab.core.errors import InputError
from reprolab.data.parts import Part, SplitInfo, load_part
from reprolab.data.split import make_split, refuse_contamination, save_split, verify_split
from reprolab.sources import digits
from tests.factories import images_of, make_source, with_training_part

PARTS = ("train", "validation", "test")


def examples_of(part: Part) -> Counter[tuple[bytes, int]]:
    return Counter(zip(images_of(part), part.labels.tolist(), strict=True))


@pytest.mark.parametrize("validation", [15, 0.25])
def test_validation_takes_its_count_or_share_of_every_class(validation: float) -> None:
    parts = make_split(make_source(), SplitConfig(validation=validation, seed=0))
    assert np.bincount(parts["validation"].labels).tolist() == [5, 5, 5]
    assert np.bincount(parts["train"].labels).tolist() == [15, 15, 15]


def test_validation_keeps_the_proportions_of_unequal_classes() -> None:
    source = with_training_part(make_source(per_class=40), np.r_[0:40, 40:60, 80:90])
    parts = make_split(source, SplitConfig(validation=0.2, seed=0))
    assert np.bincount(parts["validation"].labels).tolist() == [8, 4, 2]


def test_split_deals_out_every_training_example_once_and_leaves_the_test_part() -> None:
    source = make_source()
    parts = make_split(source, SplitConfig(validation=12, seed=0))
    dealt = examples_of(parts["train"]) + examples_of(parts["validation"])
    assert dealt == examples_of(Part(source.train_inputs, source.train_labels))
    assert source.test_inputs is not None and source.test_labels is not None
    np.testing.assert_array_equal(parts["test"].inputs, source.test_inputs)
    np.testing.assert_array_equal(parts["test"].labels, source.test_labels)


def test_without_a_validation_part_all_the_rest_is_trained_on() -> None:
    source = make_source()
    parts = make_split(source, SplitConfig(seed=0))
    assert list(parts) == ["train", "test"]
    np.testing.assert_array_equal(parts["train"].inputs, source.train_inputs)
    assert len(make_split(source, SplitConfig(train=30, seed=0))["train"]) == 30


def test_parts_share_no_image() -> None:
    parts = make_split(make_source(), SplitConfig(validation=12, seed=0))
    train, validation, test = (set(images_of(parts[name])) for name in PARTS)
    assert train.isdisjoint(validation)
    assert test.isdisjoint(train | validation)


def test_seed_alone_decides_what_is_held_out() -> None:
    first, again, other = (
        make_split(make_source(), SplitConfig(validation=12, seed=seed))["validation"] for seed in (0, 0, 1)
    )
    assert images_of(first) == images_of(again)
    assert set(images_of(first)) != set(images_of(other))


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_an_image_stay_on_one_side(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(np.r_[0:60, 0:60, 0:6])
    parts = make_split(with_training_part(make_source(), order), SplitConfig(validation=0.3, seed=seed))
    assert set(images_of(parts["train"])).isdisjoint(images_of(parts["validation"]))
    assert len(parts["train"]) + len(parts["validation"]) == 126


@pytest.mark.parametrize("seed", range(3))
def test_an_unstratified_share_is_that_of_train_test_split_in_the_order_of_the_file(seed: int) -> None:
    source = make_source()
    parts = make_split(source, SplitConfig(validation=0.25, stratified=False, seed=seed))
    train, validation = train_test_split(np.arange(60), test_size=0.25, random_state=seed)
    for name, chosen in (("train", train), ("validation", validation)):
        np.testing.assert_array_equal(parts[name].inputs, source.train_inputs[np.sort(chosen)])
    stratified = make_split(source, SplitConfig(validation=0.25, seed=seed))
    assert images_of(parts["validation"]) != images_of(stratified["validation"])


@pytest.mark.parametrize("seed", range(3))
def test_copies_go_where_their_first_row_goes_in_an_unstratified_split(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(np.r_[0:60, 0:60])
    parts = make_split(with_training_part(make_source(), order), SplitConfig(validation=0.3, stratified=False, seed=0))
    _, chosen = train_test_split(np.arange(120), test_size=0.3, random_state=0)
    first = [int(np.flatnonzero(order == example)[0]) for example in range(60)]
    held_out = [example for example in range(60) if first[example] in chosen]
    expected = sorted(2 * [image.tobytes() for image in make_source().train_inputs[held_out]])
    assert sorted(images_of(parts["validation"])) == expected


def test_an_unstratified_count_is_of_different_examples() -> None:
    order = np.arange(60).repeat(2)
    parts = make_split(with_training_part(make_source(), order), SplitConfig(validation=12, stratified=False, seed=0))
    assert len(set(images_of(parts["validation"]))) == len(parts["validation"]) == 12
    assert len(parts["train"]) == 96


def test_a_split_is_balanced_or_unstratified_and_not_both() -> None:
    with pytest.raises(ValueError, match="should not have stratified: false beside balanced: true; choose one"):
        SplitConfig(train=30, balanced=True, stratified=False, seed=0)


def test_contaminated_test_part_is_refused_with_the_pairs() -> None:
    source = make_source()
    assert source.test_inputs is not None
    source.test_inputs[3] = source.train_inputs[41]
    source.test_inputs[8] = source.train_inputs[0]
    with pytest.raises(InputError, match=r"2 of 60 test examples .*\(test 3 = train 41, test 8 = train 0\)"):
        make_split(source, SplitConfig(validation=12, seed=0))


def test_long_contamination_is_counted_and_shortened() -> None:
    source = make_source()
    assert source.test_inputs is not None
    source.test_inputs[:13] = source.train_inputs[:13]
    with pytest.raises(InputError, match=r"13 of 60 .* test 9 = train 9 and 3 more\)"):
        make_split(source, SplitConfig(validation=12, seed=0))


@pytest.mark.parametrize("validation", [2, 60, 0.01, 0.99])
def test_validation_without_room_for_every_class_is_refused(validation: float) -> None:
    with pytest.raises(InputError, match=rf"split\.validation: {validation} does not fit 60 different examples"):
        make_split(make_source(), SplitConfig(validation=validation, seed=0))


def test_validation_that_leaves_a_rare_class_out_is_refused() -> None:
    source = make_source(classes=2)
    labels = np.array([0] * 38 + [1] * 2)
    rare = dataclasses.replace(source, train_labels=labels)
    with pytest.raises(InputError, match=r"split\.validation: 4 chooses no example of .* \[1\]"):
        make_split(rare, SplitConfig(validation=4, seed=0))


def test_contamination_between_any_two_parts_is_reported_with_their_names() -> None:
    images = make_source().train_inputs
    with pytest.raises(InputError, match=r"2 of 20 validation examples .* train part \(validation 0 = train 18, "):
        refuse_contamination(images[:20], images[18:38], ("train", "validation"))


def test_digits_are_cut_to_the_same_parts_as_ever(tmp_path: Path) -> None:
    # Literal hashes: a change of them makes every trained network of the lab stale.
    digits.fetch(tmp_path)
    source = digits.load(tmp_path)
    info = save_split(make_split(source, SplitConfig(validation=0.1, seed=0)), source, "digits", tmp_path)
    assert info.sha256 == {
        "train": "b9ff10604a2474f7c99dc524f0105f7cdaff220e52f932b362efd814179f0eba",
        "validation": "4cc7eb3a7f5ac1b8e1d19d95691eee7904638dbed07085e8656d57c487d0169d",
        "test": "3ece157c2b2a7d8ebaedd7faf0565fcc3608be6ebcbd3a5ed878bfa022c709ba",
    }
    assert (info.mean, info.std) == ([0.307478], [0.376963])


def test_statistics_of_a_table_are_those_of_its_features_in_their_own_units(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal([5, -300, 0.1], [2, 40, 0], (60, 3)).astype(np.float32)
    source = dataclasses.replace(make_source(), train_inputs=table, test_inputs=None, test_labels=None)
    parts = make_split(source, SplitConfig(test=0.2, validation=0.2, seed=0))
    info = save_split(parts, source, "table", tmp_path)
    rows = parts["train"].inputs.astype(np.float64)
    assert info.shape == [3]
    assert info.mean == pytest.approx(rows.mean(0))
    assert info.std == pytest.approx([rows[:, 0].std(), rows[:, 1].std(), 1.0])
    assert info.std[2] == 1.0
    assert load_part(tmp_path, "train").inputs.dtype == np.float32
    assert SplitInfo.load(tmp_path / "split.json") == info


def test_statistics_are_those_of_the_scaled_training_part(tmp_path: Path) -> None:
    source = make_source(shape=(3, 8, 8))
    source.train_inputs[:, 1] //= 2
    source.train_inputs[:, 2] //= 5
    assert source.test_inputs is not None
    source.test_inputs[:] = np.arange(180, 240, dtype=np.uint8)[:, None, None, None]
    parts = make_split(source, SplitConfig(validation=30, seed=0))
    info = save_split(parts, source, "noise", tmp_path)
    scaled = parts["train"].inputs / 255
    assert info.mean == pytest.approx(scaled.mean(axis=(0, 2, 3)), abs=1e-6)
    assert info.std == pytest.approx(scaled.std(axis=(0, 2, 3)), abs=1e-6)
    with_validation = np.concatenate([scaled, parts["validation"].inputs / 255])
    assert info.mean != pytest.approx(with_validation.mean(axis=(0, 2, 3)), abs=1e-6)


def test_a_split_that_does_not_describe_its_parts_is_refused(split_folder: Path) -> None:
    info = SplitInfo.load(split_folder / "split.json")
    verify_split(split_folder, info)
    for changes in ({"mean": [info.mean[0] + 0.01]}, {"std": [2 * info.std[0]]}, {"classes": info.classes[:1]}):
        with pytest.raises(InputError, match=r"split\.json is damaged.*dvc repro -f split@"):
            verify_split(split_folder, info.model_copy(update=changes))
