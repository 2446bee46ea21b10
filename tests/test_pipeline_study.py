"""A study in the real pipeline: what is new alone is trained, and SIGKILL costs no more than the trial that it hits."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.pipeline import Pipeline

STAGE = "study@tried"
RATES = [0.001, 0.01, 0.1]
STUDY = {
    "dataset": "digits",
    "of": "digits-mlp",
    "space": {"training": {"optimizer": {"lr": RATES}}},
    "search": {"name": "grid", "seeds": 2},
}


def done(root: Path) -> set[str]:
    """The identities of the trainings that are known."""
    return {path.parent.name for path in (root / ".reprolab/trainings").glob("*/done.json")}


def files(root: Path) -> dict[str, bytes]:
    folder = root / "metrics/study"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def killed_at(pipeline: Pipeline, trainings: int) -> None:
    """Have the stage run anew, and kill it once so many trainings are done."""
    with subprocess.Popen(
        ["dvc", "repro", "--force", "--single-item", STAGE],
        cwd=pipeline.root,
        env=pipeline.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while process.poll() is None and len(done(pipeline.root)) < trainings:
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
    # DVC's own lock may be left half written.
    (pipeline.root / ".dvc/tmp/rwlock").unlink(missing_ok=True)


def test_a_study_trains_what_is_new_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.set("studies.tried", STUDY)
    assert pipeline.repro(STAGE) == {"download@digits", "split@digits", STAGE}
    first, expected = done(tmp_path), files(tmp_path)
    assert len(first) == 6
    assert {"tried.csv", "tried.json", "tried.md", "tried/parameters.png", "tried/repeats.png"} < set(expected)
    assert pipeline.repro(STAGE) == set()

    shutil.rmtree(tmp_path / ".reprolab")
    killed_at(pipeline, 3)
    before = done(tmp_path)
    assert 3 <= len(before) < 6
    assert pipeline.repro("--force", "--single-item", STAGE) == {STAGE}
    assert done(tmp_path) == first
    assert files(tmp_path) == expected

    times = {
        identity: (tmp_path / ".reprolab/trainings" / identity / "done.json").stat().st_mtime_ns for identity in first
    }
    pipeline.set("studies.tried.space.training.optimizer.lr", [*RATES, 0.5])
    assert pipeline.repro(STAGE) == {STAGE}
    assert len(done(tmp_path) - first) == 2
    for identity, time_ns in times.items():
        assert (tmp_path / ".reprolab/trainings" / identity / "done.json").stat().st_mtime_ns == time_ns
    assert files(tmp_path)["tried.csv"].startswith(expected["tried.csv"])
