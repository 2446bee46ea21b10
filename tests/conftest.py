"""A private workspace for every test, and what takes seconds to set up."""

import fcntl
import os
import runpy
import shutil
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import torch

import reprolab.training.device
from reprolab.core.config import SplitConfig
from reprolab.data.parts import TrainingData, load_training_data
from reprolab.data.split import make_split, save_split
from tests.factories import REPOSITORY, make_source, use
from tests.pipeline import ALL_STAGES, DATA_STAGES, MLP_STAGES, Pipeline
from tests.warm import warm_commands

if TYPE_CHECKING:
    from reprolab.tracking.store import Store

# On data this small more threads are slower, and processes side by side would fight over the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
torch.set_num_threads(1)
# Where it is set, each of the processes would compile the library anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since some tests wait for servers."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """`make test` has Python warn of text without an encoding: in these processes, not in those that tests start.
    The processes that share the tests share what starts their commands."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        warm_commands()
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        os.environ.pop("PYTHONWARNDEFAULTENCODING", None)


# What takes the longest by far: the pipeline, its runs in MLflow, and all networks.
LONG = ("test_pipeline", "test_live_view", "test_publish", "test_experiments", "test_architectures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, the long ones come first, so that none ends long after the others; from the
    last file on, so that not all begin with what waits for the same pipeline."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (item.path.name.startswith(LONG), item.path.name), reverse=True)


@pytest.fixture(autouse=True)
def private_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment, and a temporary folder as the repository's root."""
    for name in [*os.environ]:
        if name.startswith(("REPROLAB_", "MLFLOW_TRACKING_URI", "DVC_EXP_NAME")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(reprolab.training.device, "ALL_THREADS", 1)
    torch.set_num_threads(1)  # a training sets it for its process
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPROLAB_DEVICE", "cpu")
    monkeypatch.setenv("REPROLAB_VIEW", "off")  # MLflow in the background: for the tests that are about it


@pytest.fixture
def split_folder(tmp_path: Path) -> Path:
    """A saved split of 60 training images (12 of them for validation) and 60 test images, in 3 classes."""
    source = make_source()
    folder = tmp_path / "data" / "splits" / "noise"
    folder.mkdir(parents=True)
    save_split(make_split(source, SplitConfig(validation=12, seed=0)), source, "noise", folder)
    return folder


@pytest.fixture
def run_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., object]]:
    """Run a stage's script in this process, in the temporary folder; its exit status comes back."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(name: str, *arguments: str) -> object:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / "stages" / f"{name}.py"), run_name="__main__")
        return ended.value.code

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study's trainings one after another, in this process."""
    monkeypatch.setenv("REPROLAB_JOBS", "1")


@pytest.fixture
def data(split_folder: Path) -> TrainingData:
    return load_training_data(split_folder, "train")


@pytest.fixture
def any_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """SGD takes rates beyond its bounds, since a few steps within them hardly ruin a network."""

    def build(parameters: Any, *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> torch.optim.SGD:
        return torch.optim.SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay)

    monkeypatch.setattr("reprolab.training.optimizers.sgd.build", build)


# Pipelines, which take half a minute to run from the beginning


def shared_folder(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one process makes, and all that share the tests copy."""
    above = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        above = above.parent
    folder, partial = above / name, above / f"{name}.partial"
    with (above / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(folder)
    return folder


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """`digits-mlp` trained and evaluated; `digits-lenet5` and MLflow not begun. To be copied."""

    def make(folder: Path) -> None:
        pipeline = Pipeline(folder)
        assert pipeline.repro(*MLP_STAGES) == {*DATA_STAGES, *MLP_STAGES}
        pipeline.commit("digits-mlp")

    return Pipeline(shared_folder(tmp_path_factory, "evaluated", make))


@pytest.fixture(scope="session")
def reproduced(evaluated: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """After `dvc repro compare@digits`, committed, and MLflow with all of it. To be copied."""

    def make(folder: Path) -> None:
        pipeline = evaluated.copy(folder)
        assert pipeline.repro("compare@digits") == ALL_STAGES - {*DATA_STAGES, *MLP_STAGES}
        pipeline.commit("results")
        assert pipeline.run("reprolab", "sync").stdout.endswith("MLflow has all 3 runs\n")

    return Pipeline(shared_folder(tmp_path_factory, "reproduced", make))


@pytest.fixture(scope="module")
def pipeline(reproduced: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The pipeline after `dvc repro compare@digits`; every test leaves it as it was."""
    pipeline = reproduced.copy(tmp_path_factory.mktemp("repository") / "copy")
    yield pipeline
    assert pipeline.repro("compare@digits") == set()


# Where data come from


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 127.0.0.1 answers."""
    urlopen = urllib.request.urlopen

    def local_urlopen(request: urllib.request.Request, *arguments: Any, **options: Any) -> Any:
        if not request.host.startswith("127.0.0.1:"):
            raise URLError("no network")
        return urlopen(request, *arguments, **options)

    monkeypatch.setattr(urllib.request, "urlopen", local_urlopen)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that `REPROLAB_MIRROR` names."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("REPROLAB_MIRROR", str(folder))
    return folder


@pytest.fixture
def server(mirror: Path) -> Iterator[str]:
    """Where the mirror is served over HTTP."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(mirror))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder named target."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


# Tracking


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database, which takes seconds to set up."""
    from reprolab.tracking.store import Store

    folder = tmp_path_factory.mktemp("initialised")
    with pytest.MonkeyPatch.context() as patch:
        root = use(folder, patch)
        Store()
    return root / "mlflow.db"


@pytest.fixture
def root(initialised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository's root with a store in which nothing is."""
    root = use(tmp_path, monkeypatch)
    shutil.copy(initialised, root)
    return root


@pytest.fixture
def store(root: Path) -> "Store":
    from reprolab.tracking.store import Store

    return Store()
