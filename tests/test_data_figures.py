"""Figures of a data set: what they show, and the stage that draws them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprolab.core.config import Dataset, SplitConfig
from reprolab.core.errors import InputError
from reprolab.data.fetch import SourceData
from reprolab.data.parts import Part
from reprolab.data.split import make_split, save_split
from reprolab.evaluation.data_figures import (
    classes_figure,
    data_figures,
    features_figure,
    labels_figure,
    samples_figure,
)
from reprolab.sources import digits, iris
from tests.factories import SPLIT, params_settings


def part(labels: list[int], shape: tuple[int, ...] = (1, 2, 2)) -> Part:
    """An example for each label, all of whose values are its place."""
    inputs = np.stack([np.full(shape, place, np.uint8) for place in range(len(labels))])
    return Part(inputs, np.array(labels))


def drawn(folder: Path, source: Any, **split: Any) -> dict[str, Figure]:
    """The figures by name, of a source that needs no download, whose split and raw files are written here."""
    raw, parts = folder / "raw", folder / "split"
    for path in (raw, parts):
        path.mkdir()
    source.fetch(raw)
    data: SourceData = source.load(raw)
    save_split(make_split(data, SplitConfig(seed=0, **split)), data, "small", parts)
    name = source.__name__.rpartition(".")[2]
    settings = {"source": {"name": name}, "split": {"seed": 0, **split}}
    return data_figures(Dataset.model_validate(settings), raw, parts)


def bars(axes: Axes) -> list[float]:
    return [max(bar.get_width(), bar.get_height()) for bar in axes.patches]  # type: ignore[attr-defined]


def test_each_part_has_a_histogram_of_its_classes() -> None:
    figure = classes_figure("pets", {"train": part([0, 1, 1, 1]), "test": part([0])}, ["cat", "dog", "emu"])
    train, test = figure.axes
    assert [bar.get_width() for bar in train.patches] == [1, 3, 0]  # type: ignore[attr-defined]
    assert [bar.get_width() for bar in test.patches] == [1, 0, 0]  # type: ignore[attr-defined]
    assert [text.get_text() for text in train.texts] == ["1", "3", "0"]
    assert (train.get_title(), test.get_title()) == ("train: 4", "test: 1")
    assert [label.get_text() for label in train.get_yticklabels()] == ["cat", "dog", "emu"]
    assert train.yaxis_inverted()


@pytest.mark.parametrize(("images", "shown"), [(31, list(range(0, 31, 2))), (3, [0, 1, 2])])
def test_samples_are_sixteen_from_all_over_the_part_with_their_classes(images: int, shown: list[int]) -> None:
    labels = [index * 3 // images for index in range(images)]  # sorted by class
    classes = ["cat", "dog", "emu"]
    figure = samples_figure("pets", part(labels, (3, 2, 2)), classes)
    (axes,) = figure.axes
    values = [np.unique(np.asarray(image.get_array())).tolist() for image in axes.images]
    assert values == [[place] for place in shown]
    assert [text.get_text() for text in axes.texts] == [classes[labels[place]] for place in shown]


def test_every_pair_of_features_is_scattered_by_class() -> None:
    inputs = np.arange(12, dtype=np.float32).reshape(4, 3)
    parts = {"train": Part(inputs[:3], np.array([0, 1, 1])), "test": Part(inputs[3:], np.array([0]))}
    figure = features_figure("pets", parts, ["length", "width", "age"], ["cat", "dog"])
    pairs = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert pairs == [("length", "width"), ("length", "age"), ("width", "age")]
    cats, dogs = (np.asarray(found.get_offsets()).tolist() for found in figure.axes[1].collections)
    assert (cats, dogs) == ([[0, 2], [9, 11]], [[3, 5], [6, 8]])


def test_labels_stand_before_and_after_they_are_made_classes() -> None:
    original, labels = np.array([3, 5, 5, 6, 8]), np.array([0, 0, 0, 1, 1])
    before, after = labels_figure("wine", original, labels, ["low", "high"]).axes
    assert ([text.get_text() for text in before.texts], bars(before)) == (["1", "2", "1", "1"], [1, 2, 1, 1])
    assert [label.get_text() for label in before.get_xticklabels()] == ["3", "5", "6", "8"]
    assert ([text.get_text() for text in after.texts], bars(after)) == (["3", "2"], [3, 2])
    colors = [bar.get_facecolor() for bar in (*before.patches, *after.patches)]
    assert colors[0] == colors[1] == colors[4] != colors[2] == colors[3] == colors[5]


def test_images_have_samples(tmp_path: Path) -> None:
    assert drawn(tmp_path, digits, validation=0.1).keys() == {"classes.png", "samples.png"}


def test_a_table_of_few_features_has_pairs_with_their_names(tmp_path: Path) -> None:
    figures = drawn(tmp_path, iris, test=0.2)
    assert figures.keys() == {"classes.png", "features.png"}
    assert {axes.get_xlabel() for axes in figures["features.png"].axes} == set(iris.FEATURES[:3])


def test_a_missing_part_is_reported(tmp_path: Path) -> None:
    drawn(tmp_path, iris, test=0.2)
    (tmp_path / "split" / "test.safetensors").unlink()
    dataset = Dataset.model_validate({"source": {"name": "iris"}, "split": SPLIT})
    with pytest.raises(InputError, match=r"test\.safetensors is missing: run `dvc repro split@split`"):
        data_figures(dataset, tmp_path / "raw", tmp_path / "split")


def test_the_stage_writes_the_figures(split_folder: Path, tmp_path: Path, run_stage: Callable[..., object]) -> None:
    settings = params_settings({"small": {"dataset": "noise"}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    assert not run_stage("describe", "noise", "raw", str(split_folder), "figures/data/noise")
    found = sorted((tmp_path / "figures" / "data" / "noise").iterdir())
    assert [path.name for path in found] == ["classes.png", "samples.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)
