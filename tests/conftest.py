"""Small real data and a private workspace for every test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reprolab.config import SplitConfig
from reprolab.data.sources import SourceData
from reprolab.data.splits import make_split, save_split
from reprolab.tracking import Run, Store

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def private_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment, and MLflow and checkpoints in a temporary folder."""
    for name in ("REPROLAB_MIRROR", "REPROLAB_DEVICE", "REPROLAB_PRECISION", "MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("REPROLAB_DEVICE", "cpu")


def make_source(per_class: int = 20, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 3) -> SourceData:
    """Images of `classes` that a small network can tell apart: noise, brighter in the class's own rows."""
    generator = np.random.default_rng(0)
    labels = np.arange(classes).repeat(per_class)
    images = generator.integers(0, 100, (2 * len(labels), *shape), dtype=np.uint8)
    both = np.concatenate([labels, labels])
    for index, label in enumerate(both):
        images[index, :, 2 * label : 2 * label + 2] += 150
    half = len(labels)
    names = tuple(f"class {index}" for index in range(classes))
    return SourceData(images[:half], labels, images[half:], labels, names, "official")


@pytest.fixture
def split_folder(tmp_path: Path) -> Path:
    """A saved split of 60 training images (12 of them for validation) and 60 test images, in 3 classes."""
    source = make_source()
    folder = tmp_path / "data" / "splits" / "noise"
    folder.mkdir(parents=True)
    save_split(make_split(source, SplitConfig(validation=12, seed=0)), source, "noise", folder)
    return folder


def use(folder: Path, patch: pytest.MonkeyPatch, uri: str = "") -> Path:
    """Make `folder/root` the repository's root, and an empty folder beside it the working directory."""
    for name in ("root", "elsewhere"):
        (folder / name).mkdir(exist_ok=True)
    patch.setenv("DVC_ROOT", str(folder / "root"))
    patch.chdir(folder / "elsewhere")
    # An empty one is none. MLflow sets it for its children; the patch takes it away again.
    patch.setenv("MLFLOW_TRACKING_URI", uri)
    return folder / "root"


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a root with MLflow's files, which take seconds to set up."""
    folder = tmp_path_factory.mktemp("initialised")
    with pytest.MonkeyPatch.context() as patch:
        use(folder, patch)
        Store("first")
    return folder


@pytest.fixture
def root(initialised: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use(initialised, monkeypatch)


@pytest.fixture
def store(root: Path, request: pytest.FixtureRequest) -> Store:
    """A data set of its own for each test."""
    return Store(request.node.name)


def stored(run: Run) -> Any:
    """The run as MLflow has it."""
    return run.store.call("get_run", run.id)
