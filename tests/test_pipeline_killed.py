"""SIGKILL between the end of a training and DVC's write of dvc.lock: nothing trains again, the bytes are the same."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.pipeline import Pipeline

STAGE, MODEL, METRICS = "train@digits-mlp", "models/digits-mlp", "metrics/digits/digits-mlp"
KILLS = 20


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in (MODEL, METRICS)
        for path in sorted((root / folder).glob("*"))
    }


@pytest.mark.slow
def test_twenty_kills_after_a_training_lose_nothing(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.run("dvc", "repro", STAGE)
    expected, lock = contents(tmp_path), (tmp_path / "dvc.lock").read_bytes()
    trained = {path.name for path in (tmp_path / ".reprolab/trainings").iterdir()}
    killed = 0
    for number in range(KILLS):
        # Another seed each time, whose training alone is new.
        pipeline.set("experiments.digits-mlp.training.seeds", [number + 1])
        killed += killed_after_training(pipeline, trained)
        output = pipeline.run("dvc", "repro", STAGE).stdout
        assert not re.search(r"epoch \d+:", output), output
        trained = {path.name for path in (tmp_path / ".reprolab/trainings").iterdir()}
        assert len(trained) == number + 2
    assert killed >= KILLS // 2, "most kills came too late"
    pipeline.set("experiments.digits-mlp.training.seeds", [0])
    pipeline.run("dvc", "repro", STAGE)
    assert contents(tmp_path) == expected
    assert (tmp_path / "dvc.lock").read_bytes() == lock


def killed_after_training(pipeline: Pipeline, before: set[str]) -> bool:
    """Whether `dvc repro` was killed before it ended, some time after the training was done."""
    process = subprocess.Popen(
        ["dvc", "repro", STAGE],
        cwd=pipeline.root,
        env=pipeline.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    trainings = pipeline.root / ".reprolab/trainings"
    while process.poll() is None:
        if any((path / "done.json").exists() for path in trainings.iterdir() if path.name not in before):
            time.sleep(random.uniform(0, 1.5))
            break
        time.sleep(0.005)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # DVC's own lock may be left half written.
    (pipeline.root / ".dvc/tmp/rwlock").unlink(missing_ok=True)
    return alive
