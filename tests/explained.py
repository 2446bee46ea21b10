"""A pipeline whose stages `reprolab why` explains."""

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolab.cli import why
from reprolab.core.config import load_params
from reprolab.training import identity
from reprolab.training.folder import TrainingFolder
from tests.pipeline import Pipeline

SPLIT, TRAIN, EVALUATE, COMPARE = "split@digits", "train@digits-mlp", "evaluate@digits-mlp", "compare@digits"
TRAINING = "src/reprolab/training"
COMMENT = (f"{TRAINING}/loop.py", "    return state", "    # a comment\n    return state")
CONSTANT = (f"{TRAINING}/loop.py", "CHECK_EVERY_STEPS = 20", "CHECK_EVERY_STEPS = 21")
SETTINGS = "experiments.digits-mlp.training"
KNOWN = r"known, trained 20\S+ by commit [0-9a-f]{10}: taken over"
SECONDS = 40.0  # an epoch, as the archive of the fixture has it

Lines = list[str]
Explain = Callable[..., dict[str, Lines]]


def compared(evaluated: Pipeline, root: Path) -> Pipeline:
    """`digits-mlp` trained for two epochs, evaluated and compared, `digits-lenet5` not; all of it committed."""
    pipeline = evaluated.copy(root)
    pipeline.run("dvc", "repro", "--single-item", COMPARE)
    path = archived(pipeline).path / "result.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"epochs": [epoch | {"seconds": SECONDS} for epoch in result["epochs"]]}))
    pipeline.run("git", "add", "--all")
    pipeline.run("git", "commit", "--quiet", "--amend", "--message", "results")
    return pipeline


def explainer(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    """What `reprolab why` prints of some stages, by stage; the first line is what stands beside its name."""
    monkeypatch.chdir(pipeline.root)
    monkeypatch.setattr(why, "WIDTH", 1000)
    monkeypatch.setattr(identity, "LIBRARY", pipeline.root / "src/reprolab")  # the code of the copy, which tests edit
    monkeypatch.setattr(identity, "STARTED", math.inf)

    def run(*stages: str) -> dict[str, Lines]:
        identity._imported_modules.cache_clear()
        capsys.readouterr()
        why.run(load_params(), list(stages))
        found: dict[str, Lines] = {}
        for line in capsys.readouterr().out.splitlines():
            name, _, heading = line.partition(": ")
            if not line.startswith(" "):
                found[name] = lines = [heading]
                label = ""
            else:
                label = label if line.startswith("   ") else re.split("  +", line)[1]
                lines.append(f"{label}: {line.replace(label, '', 1).strip()}")
        return found

    return run


def archived(pipeline: Pipeline) -> TrainingFolder:
    record = json.loads((pipeline.root / "metrics/digits/digits-mlp/train.json").read_text())
    return TrainingFolder(pipeline.root / ".reprolab/trainings" / record["identities"][0])


@contextmanager
def kept(path: Path) -> Iterator[Path]:
    """A file that is put back."""
    content = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(content)


@contextmanager
def setting(pipeline: Pipeline, key: str, value: Any) -> Iterator[None]:
    with kept(pipeline.root / "params.yaml"):
        pipeline.set(key, value)
        yield


@contextmanager
def locked(pipeline: Pipeline, change: Callable[[Any], object]) -> Iterator[None]:
    """`dvc.lock` with its stages changed."""
    yaml = YAML()
    with kept(pipeline.root / "dvc.lock") as path:
        content = yaml.load(path)
        change(content["stages"])
        yaml.dump(content, path)
        yield


def other_md5_of(dependency: str, stages: Any) -> None:
    """As if `digits-mlp` had been trained with code that was never committed."""
    (found,) = [entry for entry in stages[TRAIN]["deps"] if entry["path"] == dependency]
    found["md5"] = "0" * 32 + ".dir"
