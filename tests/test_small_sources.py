"""The small sources: digits and iris, which scikit-learn bundles, the wine table, and generated points."""

import csv
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split

from reprolab.core.config import Source, SplitConfig
from reprolab.core.errors import InputError
from reprolab.data.fetch import fetch_source, load_source
from reprolab.data.split import make_split
from reprolab.sources import digits, iris, points, wine
from tests.factories import NO_MORE, REPOSITORY

MIRRORED_WINE = REPOSITORY.parent / "shared" / "datasets" / "wine" / wine.FILE


def test_digits_are_the_halves_of_scikit_learns_digits(target: Path) -> None:
    fetch_source(Source(name="digits"), target)
    data = load_source(Source(name="digits"), target)
    assert data.test_inputs is not None and data.test_labels is not None
    parts = train_test_split(*load_digits(return_X_y=True), test_size=0.5, shuffle=False)
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((898, 1, 8, 8), (899, 1, 8, 8))
    for inputs, images in ((data.train_inputs, parts[0]), (data.test_inputs, parts[1])):
        assert inputs.dtype == np.uint8
        assert (inputs.min(), inputs.max()) == (0, 255)
        np.testing.assert_array_equal(np.rint(inputs.reshape(-1, 64) * (16 / 255)), images)
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == (parts[2].tolist(), parts[3].tolist())
    assert (data.classes, data.provenance) == (tuple("0123456789"), "official")


def test_iris_is_scikit_learns_table(target: Path) -> None:
    fetch_source(Source(name="iris"), target)
    data = load_source(Source(name="iris"), target)
    features, labels = load_iris(return_X_y=True)
    assert (data.train_inputs.dtype.name, data.train_labels.dtype.name) == ("float32", "int64")
    np.testing.assert_array_equal(data.train_inputs, features.astype(np.float32))
    assert data.train_labels.tolist() == labels.tolist()
    assert (data.test_inputs, data.test_labels) == (None, None)
    assert (data.classes, data.provenance) == (tuple(load_iris().target_names), "official")


def test_the_features_of_iris_are_named_as_scikit_learn_names_them() -> None:
    assert [name.replace(", cm", " (cm)") for name in iris.FEATURES] == load_iris().feature_names


@pytest.mark.parametrize("source", [digits, iris])
def test_bundled_data_are_fetched_to_the_same_bytes_each_time(source: Any, target: Path) -> None:
    source.fetch(target)
    first = (target / source.FILE).read_bytes()
    source.fetch(target)
    assert (target / source.FILE).read_bytes() == first


@pytest.mark.parametrize("source", [digits, iris])
@pytest.mark.parametrize("share", [0, 0.5])
def test_truncated_files_are_refused(source: Any, share: float, target: Path) -> None:
    source.fetch(target)
    path = target / source.FILE
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(InputError, match=rf"{source.FILE} cannot be read .*Run `dvc repro -f download@target`"):
        source.load(target)


def test_altered_iris_is_refused(target: Path) -> None:
    iris.fetch(target)
    with np.load(target / iris.FILE) as arrays:
        features, labels = arrays["features"], arrays["labels"]
    features[7, 2] += 0.1
    np.savez(target / iris.FILE, features=features, labels=labels)
    with pytest.raises(InputError, match=r"iris\.npz is damaged or altered.*Run `dvc repro -f download@target`"):
        iris.load(target)


@pytest.fixture
def small_wine(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mirror holds a wine table of 40 rows with commas, and the source expects it."""
    generator = np.random.default_rng(0)
    rows = np.c_[generator.uniform(0, 20, (40, 10)).round(2), generator.uniform(8, 15, 40).round(4)]
    rows = np.c_[rows, np.arange(40) % 6 + 3]
    rows[3, wine.ALCOHOL] = 9.5667
    path = mirror / "wine" / wine.FILE
    path.parent.mkdir()
    write_wine(path, rows.tolist(), ",", csv.QUOTE_MINIMAL)
    monkeypatch.setattr(wine, "SHAPE", rows.shape)
    monkeypatch.setattr(wine, "SHA256", hashlib.sha256(rows.tobytes()).hexdigest())
    return path


def write_wine(path: Path, rows: list[list[float]], delimiter: str, quoting: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
        writer.writerow([*(f"feature {number}" for number in range(11)), "quality"])
        writer.writerows(rows)


def official_form(path: Path) -> None:
    """Semicolons, quoted headers, and thirds of alcohol in full."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    for row in rows:
        if row[wine.ALCOHOL] == 9.5667:
            row[wine.ALCOHOL] = 9.56666666666667
    write_wine(path, rows, ";", csv.QUOTE_NONNUMERIC)


def test_wine_is_read_from_the_official_form_and_the_mirror_s_to_the_same_arrays(
    target: Path, small_wine: Path
) -> None:
    wine.fetch(target)
    mirrored = wine.load(target)
    official_form(small_wine)
    assert small_wine.read_text(encoding="utf-8").startswith('"feature 0";"feature 1"')
    assert "9.56666666666667;" in small_wine.read_text(encoding="utf-8")
    wine.fetch(target)
    official = wine.load(target)
    assert official.train_inputs.tobytes() == mirrored.train_inputs.tobytes()
    assert official.train_labels.tolist() == mirrored.train_labels.tolist()
    assert (mirrored.train_inputs.shape, mirrored.train_inputs.dtype.name) == ((40, 11), "float32")
    assert mirrored.train_labels.tolist() == [int(number % 6 + 3 >= 6) for number in range(40)]
    assert wine.original_labels(target).tolist() == [number % 6 + 3 for number in range(40)]
    assert (mirrored.test_inputs, mirrored.provenance) == (None, "official")


@pytest.mark.skipif(not MIRRORED_WINE.is_file(), reason="the wine table is not on this machine")
def test_the_real_wine_table_has_its_known_sizes(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", str(MIRRORED_WINE.parent.parent))
    wine.fetch(target)
    data = wine.load(target)
    assert data.train_inputs.shape == (1599, 11)
    assert np.bincount(data.train_labels).tolist() == [744, 855]
    official_form(target / wine.FILE)
    assert wine.load(target).train_inputs.tobytes() == data.train_inputs.tobytes()
    assert np.bincount(wine.original_labels(target))[3:].tolist() == [10, 53, 681, 638, 199, 18]
    parts = make_split(data, SplitConfig(test=0.25, validation=0.15, seed=0))
    rows = [{row.tobytes() for row in part.inputs} for part in parts.values()]
    assert sum(len(part) for part in parts.values()) == 1599
    assert sum(len(part) for part in rows) == len(set.union(*rows)) == 1359


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace(",9.5667,", ",9.5668,"), "is damaged or altered: its content has the SHA-256"),
        (lambda text: text[: text.index("\n", 900) + 1], r"a table of shape \(\d+, 12\), expected \(40, 12\)"),
        (lambda text: text[:1000], "cannot be read as a table of numbers"),
        (lambda text: text.replace("9.5667", "?"), "cannot be read as a table of numbers"),
    ],
)
def test_damaged_wine_is_refused_when_fetched_and_when_read(
    change: Any, expected: str, target: Path, small_wine: Path
) -> None:
    whole = small_wine.read_text(encoding="utf-8")
    assert change(whole) != whole
    small_wine.write_text(change(whole), encoding="utf-8")
    with pytest.raises(InputError, match=rf"wine/{wine.FILE} .*{expected}"):
        wine.fetch(target)
    (target / wine.FILE).write_text(change(whole))
    with pytest.raises(InputError, match=rf"{wine.FILE} .*{expected}.*Run `dvc repro -f download@target`"):
        wine.load(target)


def test_missing_wine_is_reported(target: Path) -> None:
    with pytest.raises(InputError, match=rf"{wine.FILE} cannot be read.*Run `dvc repro -f download@target`"):
        wine.load(target)


@pytest.mark.parametrize("seed", range(8))
def test_points_lie_in_the_unit_square_on_two_sides_of_a_line(seed: int, target: Path) -> None:
    source = Source(name="points", examples=200, margin=0.1, seed=seed)
    fetch_source(source, target)
    data = load_source(source, target)
    assert (data.train_inputs.shape, data.train_inputs.dtype.name) == ((200, 2), "float32")
    assert data.train_inputs.min() >= 0 and data.train_inputs.max() <= 1
    assert min(np.bincount(data.train_labels)) >= 50
    assert data.test_inputs is None
    assert data.classes == ("below the line", "above the line")
    # Class 1 lies at least two margins from class 0 along a direction that points up.
    angles = np.linspace(0, np.pi, 1800)
    along = data.train_inputs @ np.array([np.cos(angles), np.sin(angles)])
    gaps = along[data.train_labels == 1].min(0) - along[data.train_labels == 0].max(0)
    assert gaps.max() >= 0.199


def test_points_are_the_same_each_time_and_others_with_another_seed(target: Path) -> None:
    first, again, other = (points.load(target, examples=50, seed=seed).train_inputs.tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("name: points, seed: 0", "datasets.dots.source.examples: this option of 'points' is missing"),
        ("name: points, examples: 50, seed: 0, margin: 0.4", "datasets.dots.source.margin: found 0.4; it should be"),
        (
            "name: points, example: 50, seed: 0",
            "datasets.dots.source.example: unknown option of 'points' (did you mean",
        ),
        ("name: iris, seed: 0", "datasets.dots.source.seed: unknown option of 'iris'; allowed: none"),
    ],
)
def test_a_wrong_option_is_reported_with_its_whole_key(
    source: str,
    expected: str,
    tmp_path: Path,
    run_stage: Callable[..., object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = f"{{source: {{{source}}}, split: {{test: 0.2, validation: 0.2, seed: 0}}}}"
    (tmp_path / "params.yaml").write_text(f"datasets: {{dots: {dataset}}}\n{NO_MORE}")
    assert run_stage("split", "dots", "raw", "split") == 1
    assert capsys.readouterr().err.startswith(f"error: {expected}")


def test_stages_cut_a_table_into_parts(
    tmp_path: Path, run_stage: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = "{source: {name: iris}, split: {test: 0.2, validation: 0.2, seed: 42}}"
    (tmp_path / "params.yaml").write_text(f"datasets: {{flowers: {dataset}}}\n{NO_MORE}")
    assert run_stage("download", "flowers", "raw") == 0
    assert run_stage("split", "flowers", "raw", "split") == 0
    assert sorted(path.name for path in (tmp_path / "split").iterdir()) == [
        "split.json",
        "test.safetensors",
        "train.safetensors",
        "validation.safetensors",
    ]
    untested = dataset.replace("test: 0.2, ", "")
    (tmp_path / "params.yaml").write_text(f"datasets: {{flowers: {untested}}}\n{NO_MORE}")
    assert run_stage("split", "flowers", "raw", "split") == 1
    reported = capsys.readouterr().err
    assert reported.startswith("error: datasets.flowers.split.test: the source has no test part")
