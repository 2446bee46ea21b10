"""`reprolab why` beside the real DVC: which code, parameters and seeds make a training train anew."""

import fcntl
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import load_params
from reprolab.models.build import resolve_experiment
from reprolab.training import identity
from reprolab.training.archive import folder_of, train_once
from reprolab.training.record import Epoch
from tests.explained import (
    COMMENT,
    COMPARE,
    CONSTANT,
    EVALUATE,
    KNOWN,
    SETTINGS,
    SPLIT,
    TRAIN,
    TRAINING,
    Explain,
    compared,
    explainer,
    kept,
    locked,
    other_md5_of,
    setting,
)
from tests.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline(evaluated: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Every test leaves it as it was."""
    pipeline = compared(evaluated, tmp_path_factory.mktemp("why") / "copy")
    yield pipeline
    assert pipeline.run("git", "status", "--porcelain").stdout == ""


@pytest.fixture
def explain(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    return explainer(pipeline, monkeypatch, capsys)


# Code


def test_a_comment_changes_bytes_alone_and_the_training_is_known(pipeline: Pipeline, explain: Explain) -> None:
    with pipeline.edited(*COMMENT):
        found = explain(EVALUATE)
    *lines, seed = found.pop(TRAIN)
    assert lines == ["stale", "parameter: unchanged", "code: reprolab.training.loop changed in bytes alone",
                     "data: unchanged"]  # fmt: skip
    assert re.fullmatch(f"seed 0: {KNOWN}", seed)
    assert found == {EVALUATE: [f"waits for {TRAIN}"]}


def test_a_constant_changes_the_meaning_and_the_training_is_not_known(pipeline: Pipeline, explain: Explain) -> None:
    with pipeline.edited(*CONSTANT), pipeline.edited(f"{TRAINING}/meter.py", "\n\n\nclass", "\n\n\n# it\nclass"):
        found = explain(TRAIN)
    assert found == {TRAIN: [
        "stale",
        "parameter: unchanged",
        "code: reprolab.training.loop changed in meaning",
        "code: reprolab.training.meter changed in bytes alone",
        "data: unchanged",
        "seed 0: not known: about 80 s",
    ]}  # fmt: skip


def test_what_is_no_part_of_the_identity_is_said_to_be_none(pipeline: Pipeline, explain: Explain) -> None:
    optimizer = pipeline.root / TRAINING / "optimizers/again.py"
    optimizer.write_text("RATE = 1\n")
    with pipeline.edited(
        "src/reprolab/core/files.py", "class Record(BaseModel):", "ONE = 1\n\n\nclass Record(BaseModel):"
    ):
        found = explain(TRAIN)
    optimizer.unlink()
    # What core yields may differ, and with it the data.
    assert found[SPLIT] == ["stale", "parameter: unchanged", "code: reprolab.core.files changed in meaning",
                            "data: unchanged"]  # fmt: skip
    *lines, waits, seed = found[TRAIN]
    assert lines[2:] == [
        "code: reprolab.core.files changed in meaning, but not part of a training's identity",
        "code: reprolab.training.optimizers.again added",
        "data: unchanged",
    ]
    assert waits == f"waits for: {SPLIT}; should that give the same again:"
    assert re.fullmatch(f"seed 0: {KNOWN}", seed)


def test_a_module_that_is_gone_is_said_to_be(pipeline: Pipeline, explain: Explain) -> None:
    with kept(pipeline.root / TRAINING / "schedules/step.py") as path:
        path.unlink()
        assert "code: reprolab.training.schedules.step removed" in explain(TRAIN)[TRAIN]


def test_of_code_that_no_commit_has_the_archive_knows_the_modules(pipeline: Pipeline, explain: Explain) -> None:
    with locked(pipeline, lambda stages: other_md5_of(TRAINING, stages)):
        same = explain(TRAIN)[TRAIN]
        with pipeline.edited(*CONSTANT):
            other = explain(TRAIN)[TRAIN]
    assert same[2] == f"code: {TRAINING} changed, but no module of it that counts in a training's identity"
    assert other[2:4] == [
        "code: reprolab.training.loop changed in meaning",
        f"code: {TRAINING} changed from what no commit has",
    ]


def test_the_former_code_may_be_that_of_another_branch(pipeline: Pipeline, explain: Explain) -> None:
    """The result was made with code that an experiment, or a branch, has committed, and not with that of HEAD."""
    with pipeline.edited(*CONSTANT):
        pipeline.run("git", "stash", "create")  # speaks of the tracked files alone
        found = pipeline.run("git", "stash", "create").stdout.strip()
        pipeline.run("git", "update-ref", "refs/exps/aside", found)
        md5 = pipeline.run("python", "-c", MD5_OF_TRAINING).stdout.split()[-1]

    def change(stages: Any) -> None:
        next(entry for entry in stages[TRAIN]["deps"] if entry["path"] == TRAINING)["md5"] = md5

    with locked(pipeline, change):
        lines = explain(TRAIN)[TRAIN]
    pipeline.run("git", "update-ref", "-d", "refs/exps/aside")
    assert lines[2] == "code: reprolab.training.loop changed in meaning"


MD5_OF_TRAINING = f"""
from dvc.repo import Repo
stage = Repo().stage.load_one(name="{TRAIN}")
print(next(found for found in stage.deps if found.def_path == "{TRAINING}").get_hash().value)
"""


# Parameters, seeds, times


def test_parameters_are_shown_as_they_were_and_are(pipeline: Pipeline, explain: Explain) -> None:
    with (
        setting(pipeline, f"{SETTINGS}.optimizer.lr", 0.01),
        setting(pipeline, f"{SETTINGS}.schedule", {"name": "one_cycle"}),
        setting(pipeline, f"{SETTINGS}.epochs", 6),
    ):
        found = explain(COMPARE)
    assert found[TRAIN] == [
        "stale",
        f"parameter: {SETTINGS}.epochs: 2 → 6",
        f"parameter: {SETTINGS}.optimizer.lr: 0.006 → 0.01",
        f"parameter: {SETTINGS}.schedule.name: not set → one_cycle",
        "code: unchanged",
        "data: unchanged",
        "seed 0: not known: about 4 min",
    ]
    assert found[COMPARE] == [f"waits for {TRAIN} and evaluate@digits-lenet5"]


def test_of_an_added_seed_the_others_are_known(pipeline: Pipeline, explain: Explain) -> None:
    with setting(pipeline, f"{SETTINGS}.seeds", [0, 7, 8]):
        lines = explain(TRAIN)[TRAIN]
    assert lines[1] == f"parameter: {SETTINGS}.seeds: [0] → [0, 7, 8]"
    assert re.fullmatch(f"seed 0: {KNOWN}", lines[-2])
    assert lines[-1] == "seeds 7, 8: not known: about 80 s each"


def test_with_reprolab_fresh_nothing_is_known(
    pipeline: Pipeline, explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROLAB_FRESH", "1")
    with pipeline.edited(*COMMENT):
        assert explain(TRAIN)[TRAIN][-1] == "seed 0: trains anew, since REPROLAB_FRESH is set: about 80 s"


def test_a_training_that_was_begun_says_where_it_resumes(pipeline: Pipeline, explain: Explain) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise KeyboardInterrupt

    with setting(pipeline, f"{SETTINGS}.epochs", 5):
        experiment = resolve_experiment(load_params().experiment("digits-mlp"), "experiment")
        data, start = load_inputs(experiment)
        origin = identity.origins_of(experiment, data, start)[0]
        folder = folder_of(origin.identity)
        with pytest.raises(KeyboardInterrupt):
            train_once("digits-mlp", experiment, data, start, origin, stop)
        begun = explain(TRAIN)[TRAIN][-1]
        with (folder.path / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = explain(TRAIN)[TRAIN][-1]
        folder.checkpoint.write_bytes(b"damaged")
        damaged = explain(TRAIN)[TRAIN][-1]
    shutil.rmtree(folder.path)
    assert begun == "seed 0: begun, resumes after epoch 2 of 5: less than 1 s more"
    assert running == "seed 0: trains now"
    assert damaged == "seed 0: not known: about 3 min"


def test_a_stage_that_was_never_run(pipeline: Pipeline, explain: Explain) -> None:
    assert explain("evaluate@digits-lenet5", "train@vgg16", "train@alexnet-pretrained") == {
        "download@cifar10": ["without a result"],
        "split@cifar10": ["without a result; waits for download@cifar10"],
        "train@digits-lenet5": ["without a result", "seed 0: not known, and never timed here"],
        "train@alexnet-pretrained": [
            "without a result",
            "waits for: split@cifar10; should that give the same again:",
            "seed 0: not looked up, which would fetch the ImageNet weights, and never timed here",
        ],
        "train@vgg16": [
            "without a result",
            "waits for: split@cifar10; should that give the same again:",
            "seed 0: not looked up before its data and starting weights are here, and never timed here",
        ],
        "evaluate@digits-lenet5": ["without a result; waits for train@digits-lenet5"],
    }
