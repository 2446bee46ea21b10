"""The files of a split, and what a training reads of them."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from reprolab.core.config import SplitConfig
from reprolab.core.errors import InputError
from reprolab.data.parts import Part, SplitInfo, load_part, load_training_data
from reprolab.data.split import make_split, save_split
from tests.factories import images_of, make_source, make_split_info

PARTS = ("train", "validation", "test")


def test_parts_are_read_back_bit_for_bit(split_folder: Path) -> None:
    parts = make_split(make_source(), SplitConfig(validation=12, seed=0))
    for name in PARTS:
        loaded = load_part(split_folder, name)
        assert (loaded.inputs.dtype.name, loaded.labels.dtype.name) == ("uint8", "int64")
        np.testing.assert_array_equal(loaded.inputs, parts[name].inputs)
        np.testing.assert_array_equal(loaded.labels, parts[name].labels)


def test_files_of_a_split_are_the_same_bytes_each_time(split_folder: Path, tmp_path: Path) -> None:
    source = make_source()
    save_split(make_split(source, SplitConfig(validation=12, seed=0)), source, "noise", tmp_path)
    for path in split_folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_split_json_describes_the_split(split_folder: Path) -> None:
    content = json.loads((split_folder / "split.json").read_text())
    statistics = content.pop("mean") + content.pop("std")
    hashes = content.pop("sha256")
    assert content == {
        "dataset": "noise",
        "provenance": "official",
        "classes": ["class 0", "class 1", "class 2"],
        "shape": [1, 8, 8],
        "sizes": {"train": 48, "validation": 12, "test": 60},
    }
    assert [round(number * 255) for number in statistics] == [87, 71]
    for name in PARTS:
        part = load_part(split_folder, name)
        assert hashes[name] == hashlib.sha256(part.inputs.tobytes() + part.labels.tobytes()).hexdigest()


def test_split_json_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    source = dataclasses.replace(make_source(), provenance="JPEG stand-in (quality 75)")
    info = save_split(make_split(source, SplitConfig(validation=12, seed=0)), source, "noise", tmp_path)
    assert SplitInfo.load(tmp_path / "split.json") == info
    assert info.provenance == "JPEG stand-in (quality 75)"


@pytest.mark.parametrize("size", [0, 7, 1000])
def test_truncated_part_is_refused(split_folder: Path, size: int) -> None:
    path = split_folder / "train.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=r"train\.safetensors is damaged .*run `dvc repro -f split@noise`"):
        load_part(split_folder, "train")


def test_missing_part_is_refused(split_folder: Path) -> None:
    (split_folder / "test.safetensors").unlink()
    with pytest.raises(InputError, match=r"test\.safetensors is missing: run `dvc repro split@noise`"):
        load_part(split_folder, "test")


def test_training_sees_its_two_parts_and_never_the_test_part(split_folder: Path) -> None:
    (split_folder / "test.safetensors").unlink()
    data = load_training_data(split_folder, "train")
    assert data.info == SplitInfo.load(split_folder / "split.json")
    assert images_of(data.train) == images_of(load_part(split_folder, "train"))
    assert data.validation is not None
    assert images_of(data.validation) == images_of(load_part(split_folder, "validation"))


def test_training_on_both_parts_joins_them_and_never_sees_the_test_part(split_folder: Path) -> None:
    (split_folder / "test.safetensors").unlink()
    data = load_training_data(split_folder, "train+validation")
    train, validation = load_part(split_folder, "train"), load_part(split_folder, "validation")
    assert data.validation is None
    assert images_of(data.train) == images_of(train) + images_of(validation)
    assert data.train.labels.tolist() == [*train.labels.tolist(), *validation.labels.tolist()]


@pytest.mark.parametrize(("shape", "images"), [((3, 32, 32), True), ((1, 8, 8), True), ((4,), False)])
def test_a_split_says_whether_it_holds_images(shape: tuple[int, ...], images: bool) -> None:
    assert make_split_info(shape).holds_images is images


def test_a_missing_or_damaged_description_is_refused(split_folder: Path) -> None:
    path = split_folder / "split.json"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(InputError, match=r"split\.json is damaged.*run `dvc repro -f split@noise`"):
        load_training_data(split_folder, "train")
    path.unlink()
    with pytest.raises(InputError, match=r"split\.json is missing: run `dvc repro`"):
        load_training_data(split_folder, "train")


def test_examples_are_taken_by_a_mask_and_parts_are_joined() -> None:
    part = Part(np.arange(8, dtype=np.uint8).reshape(4, 1, 1, 2), np.array([0, 1, 2, 3]))
    one, other = part[np.array([True, False, False, True])], part[np.array([False, True, False, False])]
    assert (one.labels.tolist(), len(one), len(other)) == ([0, 3], 2, 1)
    joined = one + other
    assert joined.labels.tolist() == [0, 3, 1]
    assert joined.inputs.ravel().tolist() == [0, 1, 6, 7, 2, 3]


def test_without_a_validation_part_there_is_none_to_train_with(tmp_path: Path) -> None:
    source = make_source()
    save_split(make_split(source, SplitConfig(seed=0)), source, "noise", tmp_path)
    data = load_training_data(tmp_path, "train")
    assert (len(data.train), data.validation) == (60, None)
    with pytest.raises(InputError, match=r"training.data: 'noise' has no validation part to join; remove this key"):
        load_training_data(tmp_path, "train+validation")
