"""Kills at random moments of every stage: what the next `dvc repro` ends with is that of an undisturbed run.

A pipeline is killed and started again until it comes through, until each kind of kill has struck about `TORTURE` times
(10 unless it says otherwise). `make torture` runs it.
"""

import os
import random
import re
import shutil
import signal
import subprocess
from collections import Counter
from itertools import count, cycle
from pathlib import Path

import pytest
import yaml

from tests.pipeline import Pipeline
from tests.tortured import clear_dvc_s_lock, is_complete, kill, kill_views, started

pytestmark = pytest.mark.torture
TIMES = int(os.environ.get("TORTURE", "10"))
TARGET = "compare@digits"
WRITTEN = ("data/splits/digits", "models/digits-mlp", "models/digits-lenet5", "metrics/digits", "metrics/comparison",
           "figures/digits-mlp", "figures/digits-lenet5")  # fmt: skip
KINDS = [(how, group) for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) for group in (True, False)]
LONGEST_SECONDS = 5.0  # between a start and the kill: about two stages


def contents(root: Path) -> dict[str, object]:
    """All that the stages write, and the entries of dvc.lock, whose order is that in which the stages first ended."""
    files = [path for name in WRITTEN for path in sorted((root / name).rglob("*")) if path.is_file()]
    stages: dict[str, object] = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files} | stages


def start_anew(pipeline: Pipeline) -> None:
    """Forget all results and all that is known of them."""
    kill_views(pipeline)
    for name in (*WRITTEN, ".reprolab", ".dvc/cache", "dvc.lock"):
        path = pipeline.root / name
        shutil.rmtree(path, ignore_errors=True)
        if path.is_file():
            path.unlink()
    for database in pipeline.root.glob("mlflow.db*"):
        database.unlink()


def test_kills_anywhere_lead_to_the_files_of_an_undisturbed_run(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, view=True)
    pipeline.run("dvc", "repro", TARGET)
    expected = contents(tmp_path)
    kinds, killed, survived, stages = cycle(KINDS), Counter[str](), Counter[str](), Counter[str]()
    seeds = random.Random(0)
    for number in count():
        if sum(killed.values()) >= TIMES * len(KINDS):
            break
        start_anew(pipeline)
        own = Counter[str]()
        while True:
            how, group = next(kinds)
            process = started(pipeline, TARGET)
            try:
                process.wait(timeout=seeds.uniform(0.3, LONGEST_SECONDS))
            except subprocess.TimeoutExpired:
                kill(pipeline, process, how, group)
                process.wait()
                own[f"{how.name} to {'dvc and its stage' if group else 'dvc alone'}"] += 1
                clear_dvc_s_lock(pipeline)
            else:
                break
        output = pipeline.run("dvc", "repro", TARGET).stdout
        stages.update(re.findall(r"Running stage '(.+)'", output))
        pipeline.run("python", "-m", "reprolab", "sync", PYTHONPATH="src")
        found = contents(tmp_path)
        same = found == expected and all(is_complete(pipeline, name) for name in ("digits-mlp", "digits-lenet5"))
        if not same:
            differing = sorted(name for name in found | expected if found.get(name) != expected.get(name))
            print(f"run {number}, after {dict(own)}: other {differing}")
        assert not list(tmp_path.rglob("*.partial"))
        killed += own
        survived += own if same else Counter()
    for kind, times in sorted(killed.items()):
        print(f"\n{kind}: {survived[kind]} of {times} survived", end="")
    print()
    assert survived == killed
    assert not stages, "a stage ran again after `dvc repro` had ended well"
