"""Kills where they hurt most: each training ends as one complete run, every step once. `make torture` runs it.

Each kind is tried `TORTURE` times (10 unless it says otherwise), with another seed each time, so that each is a new
training, and MLflow is compared with the result's own files.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.tortured import clear_dvc_s_lock, is_complete, kill, kill_views, started, wait_until

pytestmark = pytest.mark.torture
TIMES = int(os.environ.get("TORTURE", "10"))
STAGE = "train@digits-mlp"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("torture"), view=True)
    pipeline.set("experiments.digits-mlp.training.epochs", 30)
    pipeline.run("dvc", "repro", "split@digits")
    yield pipeline
    kill_views(pipeline)


def files(pipeline: Pipeline, pattern: str) -> int:
    return len(list(pipeline.root.glob(pattern)))


def while_the_store_is_opened(pipeline: Pipeline, process: "subprocess.Popen[bytes]") -> None:
    wait_until(process, lambda: files(pipeline, ".mlflow.db.*.partial") > 0)
    time.sleep(random.uniform(0, 3))


def in_the_epochs(pipeline: Pipeline, process: "subprocess.Popen[bytes]") -> None:
    before = files(pipeline, ".reprolab/trainings/*/journal.jsonl")
    wait_until(process, lambda: files(pipeline, ".reprolab/trainings/*/journal.jsonl") > before)
    time.sleep(random.uniform(0, 0.4))


def after_the_training(pipeline: Pipeline, process: "subprocess.Popen[bytes]") -> None:
    """Between its last checkpoint, the outputs and dvc.lock."""
    before = files(pipeline, ".reprolab/trainings/*/done.json")
    wait_until(process, lambda: files(pipeline, ".reprolab/trainings/*/done.json") > before)
    time.sleep(random.uniform(0, 1.5))


KINDS: list[tuple[Any, bool, signal.Signals]] = [
    (while_the_store_is_opened, True, signal.SIGKILL),
    (while_the_store_is_opened, True, signal.SIGTERM),
    (in_the_epochs, True, signal.SIGKILL),
    (in_the_epochs, False, signal.SIGKILL),
    (after_the_training, True, signal.SIGKILL),
]


@pytest.mark.parametrize(("moment", "whole_group", "how"), KINDS)
def test_a_kill_leaves_one_complete_run(
    pipeline: Pipeline, moment: Callable[..., None], whole_group: bool, how: signal.Signals
) -> None:
    survived, killed = 0, 0
    for _ in range(TIMES):
        seed = random.randrange(10**6)
        pipeline.set("experiments.digits-mlp.training.seeds", [seed])
        if moment is while_the_store_is_opened:
            kill_views(pipeline)
            for database in pipeline.root.glob("mlflow.db*"):
                database.unlink()
        process = started(pipeline, STAGE)
        moment(pipeline, process)
        if process.poll() is None:
            killed += 1
            kill(pipeline, process, how, whole_group)
        process.wait()
        clear_dvc_s_lock(pipeline)
        pipeline.run("dvc", "repro", STAGE)
        pipeline.run("python", "-m", "reprolab", "sync", PYTHONPATH="src")
        survived += is_complete(pipeline, "digits-mlp")
    how_much = "dvc and its stage" if whole_group else "dvc alone"
    print(f"\n{moment.__name__}, {how.name} to {how_much}: {survived} of {TIMES} complete, {killed} killed")
    assert survived == TIMES
    assert killed >= TIMES // 2, "most kills came too late"
