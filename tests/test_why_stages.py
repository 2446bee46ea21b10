"""`reprolab why` beside the real DVC: of data, commands and outputs, of what is up to date, and of many stages."""

import re
from collections.abc import Iterator

import pytest

from reprolab.cli.main import main
from tests.explained import (
    COMMENT,
    COMPARE,
    EVALUATE,
    SPLIT,
    TRAIN,
    TRAINING,
    Explain,
    archived,
    compared,
    explainer,
    kept,
    locked,
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
