"""A pipeline that is killed, and what is left of it in MLflow."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.pipeline import Pipeline
from tests.servers import views

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


def started(pipeline: Pipeline, stage: str) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    command = ["dvc", "repro", stage]
    environment = pipeline.environment()
    return subprocess.Popen(
        command, cwd=pipeline.root, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )


def wait_until(process: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.002)


def kill_views(pipeline: Pipeline) -> None:
    for process in views(pipeline.root):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def kill(pipeline: Pipeline, process: "subprocess.Popen[bytes]", how: signal.Signals, whole_group: bool) -> None:
    """dvc with its stage and the live view, or dvc alone: then its stage goes on, and the next one waits for it."""
    if whole_group:
        kill_views(pipeline)
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)


def clear_dvc_s_lock(pipeline: Pipeline) -> None:
    """DVC's own, which a kill may leave half written: as `reprolab check` says."""
    (pipeline.root / ".dvc/tmp/rwlock").unlink(missing_ok=True)


def is_complete(pipeline: Pipeline, name: str) -> bool:
    """Whether there is one run of the present result of an experiment on digits, finished, with what `curves.csv` has,
    each once."""
    from reprolab.tracking.lineage import training_identity

    metrics = pipeline.root / "metrics/digits" / name
    record = json.loads((metrics / "train.json").read_text())
    identity = training_identity(dict(enumerate(record["identities"])))
    output = pipeline.run("python", "-c", READ, identity).stdout
    runs = json.loads(output.splitlines()[-1])
    with (metrics / "curves.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "train"]
    expected = [[int(row["epoch"]), float(row["loss"])] for row in rows]
    complete = (
        len(runs) == 1
        and runs[0]["status"] == "FINISHED"
        and sorted(runs[0]["loss"]) == expected
        and sorted(runs[0]["rates"]) == [step for step, _ in expected]
    )
    if not complete:
        print(pipeline.root, identity, [(run["status"], len(run["loss"]), len(run["rates"])) for run in runs])
    return complete
