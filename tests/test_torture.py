"""Kills where they hurt most: each training ends as one complete run, every step once. `make torture` runs it.

Each kind is tried `TORTURE` times (10 unless it says otherwise), with another seed each time, so that each is a new
training, and MLflow is compared with the result's own files.
"""

import csv
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.test_live_view import views

pytestmark = pytest.mark.torture
TIMES = int(os.environ.get("TORTURE", "10"))
STAGE = "train@digits-mlp"
METRICS = "metrics/digits/digits-mlp"
READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
print(json.dumps([
    {
        "status": run.info.status,
        "loss": [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "train/loss")],
        "rates": [point.step for point in client.get_metric_history(run.info.run_id, "wall/images_per_second")],
    }
    for experiment in client.search_experiments() if experiment.name == "digits"
    for run in client.search_runs([experiment.experiment_id], f"tags.`reprolab.identity` = '{sys.argv[1]}'")
]))
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("torture"))
    pipeline.set("experiments.digits-mlp.training.epochs", 30)
    pipeline.run("dvc", "repro", "split@digits")
    yield pipeline
    kill_views(pipeline)


def started(pipeline: Pipeline) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    command = ["dvc", "repro", STAGE]
    environment = pipeline.environment()
    return subprocess.Popen(
        command, cwd=pipeline.root, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )


def wait_until(process: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.002)


def kill_views(pipeline: Pipeline) -> None:
    for process in views(pipeline.root):
        try:
            os.kill(int(process), signal.SIGKILL)
        except ProcessLookupError:
            continue


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
        process = started(pipeline)
        moment(pipeline, process)
        if process.poll() is None:
            killed += 1
            if whole_group:
                kill_views(pipeline)
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)  # dvc alone: its stage goes on, and the next one waits for it
        process.wait()
        (pipeline.root / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # DVC's own, which a kill may leave half written
        pipeline.run("dvc", "repro", STAGE)
        pipeline.run("python", "-m", "reprolab", "sync", PYTHONPATH="src")
        survived += is_complete(pipeline)
    how_much = "dvc and its stage" if whole_group else "dvc alone"
    print(f"\n{moment.__name__}, {how.name} to {how_much}: {survived} of {TIMES} complete, {killed} killed")
    assert survived == TIMES
    assert killed >= TIMES // 2, "most kills came too late"


def is_complete(pipeline: Pipeline) -> bool:
    """Whether there is one run of the present result, finished, with what `curves.csv` has, each once."""
    from reprolab.tracking.lineage import training_identity

    record = json.loads((pipeline.root / METRICS / "train.json").read_text())
    identity = training_identity(dict(enumerate(record["identities"])))
    output = pipeline.run("python", "-c", READ, identity).stdout
    runs = json.loads(output.splitlines()[-1])
    with (pipeline.root / METRICS / "curves.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "train"]
    expected = [[int(row["epoch"]), float(row["loss"])] for row in rows]
    complete = (
        len(runs) == 1
        and runs[0]["status"] == "FINISHED"
        and sorted(runs[0]["loss"]) == expected
        and sorted(runs[0]["rates"]) == [step for step, _ in expected]
    )
    if not complete:
        print(Path(pipeline.root), identity, [(run["status"], len(run["loss"]), len(run["rates"])) for run in runs])
    return complete
