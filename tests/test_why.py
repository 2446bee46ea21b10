"""`reprolab why` beside the real DVC: what is said of an edit is what `dvc repro` would make of it."""

import fcntl
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolab.cli import why
from reprolab.cli.main import main
from reprolab.cli.trainings import load_inputs
from reprolab.core.config import load_params
from reprolab.models.build import resolve_experiment
from reprolab.training import identity
from reprolab.training.archive import folder_of, train_once
from reprolab.training.folder import TrainingFolder
from reprolab.training.record import Epoch
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


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """`digits-mlp` trained for two epochs, evaluated and compared, `digits-lenet5` not; all of it committed. Every test
    leaves it as it was."""
    pipeline = Pipeline(tmp_path_factory.mktemp("why"))
    keep_only(pipeline.root / "params.yaml", datasets=["digits", "cifar10"], comparisons=["digits"], studies=[],
              contrasts=[], experiments=["digits-mlp", "digits-lenet5", "alexnet-pretrained", "vgg16"])  # fmt: skip
    pipeline.commit("fewer stages")
    for target in ([EVALUATE], ["--single-item", COMPARE]):
        # Without MLflow, which takes the longest.
        pipeline.run("dvc", "repro", *target, MLFLOW_TRACKING_URI="sqlite:////dev/null/none")
    path = archived(pipeline).path / "result.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"epochs": [epoch | {"seconds": SECONDS} for epoch in result["epochs"]]}))
    pipeline.commit("results")
    yield pipeline
    assert pipeline.run("git", "status", "--porcelain").stdout == ""


def keep_only(params: Path, **kept: Sequence[str]) -> None:
    """Of all a hundred stages DVC would need a second each time."""
    yaml = YAML()
    content = yaml.load(params)
    yaml.dump({section: {name: content[section][name] for name in names} for section, names in kept.items()}, params)


@pytest.fixture
def explain(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
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


# Data, commands, outputs


def test_data_are_said_to_change_through_the_stage_that_writes_them(pipeline: Pipeline, explain: Explain) -> None:
    with kept(pipeline.root / "data/splits/digits/split.json") as path:
        path.chmod(0o644)
        path.write_text(path.read_text().replace(" ", "  "))
        found = explain(TRAIN)
    assert found[SPLIT][:2] == ["stale", "output: data/splits/digits was changed by something else"]
    assert re.fullmatch(f"data: data/splits/digits [0-9a-f]{{8}} → [0-9a-f]{{8}}, through {SPLIT}", found[TRAIN][3])


def test_of_metrics_it_is_said_which_file_changed(pipeline: Pipeline, explain: Explain) -> None:
    test, baselines = (pipeline.root / name for name in ("metrics/digits/digits-mlp/test.json", "data/baselines.csv"))
    with kept(test), kept(baselines):
        for path in (test, baselines):
            path.write_bytes(path.read_bytes() + b"\n")
        lines = explain(COMPARE)[COMPARE]
    assert lines[1] == "code: unchanged"
    assert re.fullmatch("data: data/baselines.csv [0-9a-f]{8} → [0-9a-f]{8}", lines[2])
    assert re.fullmatch(
        f"data: metrics/digits [0-9a-f]{{8}} → [0-9a-f]{{8}}: digits-mlp/test.json, through {EVALUATE}", lines[3]
    )


def test_a_split_with_another_seed(pipeline: Pipeline, explain: Explain) -> None:
    with setting(pipeline, "datasets.digits.split.seed", 1):
        found = explain(EVALUATE)
    assert found == {
        SPLIT: ["stale", "parameter: datasets.digits.split.seed: 0 → 1", "code: unchanged", "data: unchanged"],
        EVALUATE: [f"waits for {SPLIT}"],
    }


def test_another_command(pipeline: Pipeline, explain: Explain) -> None:
    with setting(pipeline, "comparisons.digits.curves", True):
        assert explain(COMPARE)[COMPARE][1] == "command: with --curves"


RESTORED = "DVC: has the outputs in its cache: restores them and runs nothing"


def test_what_is_in_the_cache_is_restored(pipeline: Pipeline, explain: Explain) -> None:
    moved = pipeline.root / "models/moved"
    (pipeline.root / "models/digits-mlp").rename(moved)
    gone = explain(TRAIN)
    moved.rename(pipeline.root / "models/digits-mlp")
    with locked(pipeline, lambda stages: stages.pop(TRAIN)):
        removed = explain(TRAIN)
    assert gone == {TRAIN: ["stale", "output: models/digits-mlp is not here", RESTORED]}
    assert removed == {TRAIN: ["without a result", RESTORED]}


# Stages that are up to date


def test_an_up_to_date_training_says_what_it_was_made_from(pipeline: Pipeline, explain: Explain) -> None:
    state, seed, parameters, data, code, result = explain(TRAIN)[TRAIN]
    assert state == "up to date"
    name = archived(pipeline).identity[:12]
    assert re.fullmatch(rf"seed 0: {name}, trained 20\S+ by commit [0-9a-f]{{10}}", seed)
    assert parameters.startswith(
        "parameters: experiments.digits-mlp: {dataset: digits, model: {name: mlp, hidden: [64]}"
    )
    assert re.fullmatch("data: data/splits/digits [0-9a-f]{8}, models/random [0-9a-f]{8}", data)
    assert f"{TRAINING} " in code and "src/reprolab/architectures/mlp.py " in code
    commit = pipeline.run("git", "rev-parse", "HEAD").stdout[:10]
    assert re.fullmatch(rf"result: in commit {commit} of 20\d\d-\d\d-\d\d: results", result)


def test_without_its_folder_the_commit_is_known_from_git(pipeline: Pipeline, explain: Explain) -> None:
    folder = archived(pipeline).path
    with pipeline.edited("README.md", "# reprolab", "# reprolab "):
        pipeline.run("git", "commit", "--quiet", "--all", "--message", "later")
    moved = folder.rename(folder.with_name("moved"))
    lines = explain(TRAIN)[TRAIN]
    with locked(pipeline, lambda stages: stages[TRAIN]["outs"].reverse()):
        same = explain(TRAIN)[TRAIN]
    moved.rename(folder)
    pipeline.run("git", "reset", "--quiet", "HEAD~1")
    assert lines[1] == f"seed 0: {folder.name[:12]}, of which nothing else is known here"
    assert lines[-1].endswith(": results")
    assert same == lines


def test_a_result_that_is_not_committed_says_so(pipeline: Pipeline, explain: Explain) -> None:
    commit = pipeline.run("git", "rev-parse", "HEAD").stdout.strip()
    pipeline.run("git", "reset", "--quiet", "--soft", "HEAD~1")
    line = explain(TRAIN)[TRAIN][-1]
    pipeline.run("git", "reset", "--quiet", "--soft", commit)
    assert line == "result: not committed"


# Which stages


def test_without_arguments_all_stale_stages_are_counted(pipeline: Pipeline, explain: Explain) -> None:
    with pipeline.edited(*COMMENT):
        found = explain()
    assert {"download@cifar10", TRAIN, EVALUATE, COMPARE, "evaluate@vgg16"} <= found.keys()
    assert not {"download@digits", SPLIT} & found.keys()
    (count,) = (lines for name, lines in found.items() if name.startswith("of "))
    assert re.fullmatch(r"\d+ without a result, 1 stale, 2 waiting, 2 up to date", count[0])


def test_a_group_of_stages_may_be_named(explain: Explain) -> None:
    found = explain("split")
    assert found[SPLIT][0] == "up to date"
    assert found["split@cifar10"] == ["without a result; waits for download@cifar10"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train@digits-mpl", "no stage 'train@digits-mpl' (did you mean 'train@digits-mlp'?)"),
        ("data/splits", "no stage 'data/splits'"),
        ("", "no stage ''"),
    ],
)
def test_an_unknown_stage_is_refused(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    monkeypatch.chdir(pipeline.root)
    monkeypatch.setattr("sys.argv", ["reprolab", "why", name])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
