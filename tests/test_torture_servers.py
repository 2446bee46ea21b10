"""Servers that fail in every way: the stage ends well, and `reprolab sync` makes the run complete.

`make torture` runs it. Each kind is tried half as often as `TORTURE` says (10 unless it says otherwise), with another
seed each time.
"""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from tests.pipeline import Pipeline
from tests.servers import failing, running
from tests.tortured import is_complete, kill_views

pytestmark = pytest.mark.torture
TIMES = (int(os.environ.get("TORTURE", "10")) + 1) // 2
STAGE = "train@digits-mlp"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("servers"), view=True)
    pipeline.set("experiments.digits-mlp.training.epochs", 30)
    pipeline.run("dvc", "repro", "split@digits")
    yield pipeline
    kill_views(pipeline)


@contextmanager
def killed_in_the_middle(folder: Path) -> Iterator[str]:
    with running(folder) as server:
        timer = Timer(random.uniform(0.5, 6), server.stop, [signal.SIGKILL])
        timer.start()
        yield server.uri
        timer.cancel()


@pytest.mark.parametrize("kind", ["dead", "silent", "slow", "nonsense", "old", "killed"])
def test_a_failing_server_costs_nothing_that_sync_does_not_bring_back(
    kind: str, pipeline: Pipeline, tmp_path: Path
) -> None:
    survived = 0
    for number in range(TIMES):
        pipeline.set("experiments.digits-mlp.training.seeds", [random.randrange(10**6)])
        folder = tmp_path / str(number)
        folder.mkdir()
        with killed_in_the_middle(folder) if kind == "killed" else failing(kind) as uri:
            ended = pipeline.run("dvc", "repro", STAGE, check=False, MLFLOW_TRACKING_URI=uri)
        kill_views(pipeline)
        pipeline.run("python", "-m", "reprolab", "sync", PYTHONPATH="src")
        survived += ended.returncode == 0 and is_complete(pipeline, "digits-mlp")
    print(f"\na server that is {kind}: {survived} of {TIMES} survived")
    assert survived == TIMES
