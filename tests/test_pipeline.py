"""The real DVC runs the stages whose inputs have changed, and no other."""

import re

import pytest
from dvc.repo import Repo

from tests.pipeline import (
    ALL_STAGES,
    COMPARISON,
    DATA_STAGES,
    EVALUATIONS,
    LEARNING_RATE,
    MLP_STAGES,
    TRAININGS,
    Pipeline,
)

NOTHING: set[str] = set()


def test_nothing_runs_twice(pipeline: Pipeline) -> None:
    assert pipeline.repro("compare@digits") == set()


def test_an_edit_runs_its_own_stages_and_taking_it_back_runs_none(pipeline: Pipeline) -> None:
    before = (pipeline.root / "metrics/comparison/digits.json").read_text()
    former = pipeline.set(LEARNING_RATE, 0.001)
    assert pipeline.repro("compare@digits") == MLP_STAGES | COMPARISON
    assert (pipeline.root / "metrics/comparison/digits.json").read_text() != before
    pipeline.set(LEARNING_RATE, former)
    assert pipeline.repro("compare@digits") == set()
    assert (pipeline.root / "metrics/comparison/digits.json").read_text() == before


def stale(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """As `dvc status`, in this process."""
    monkeypatch.chdir(pipeline.root)
    with Repo() as repo:
        return set(repo.status(sorted(ALL_STAGES)))


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("src/reprolab/tracking/publish.py", "SECONDS = 60.0", "SECONDS = 61.0", NOTHING),
        ("src/reprolab/cli/check.py", "no error found", "no error", NOTHING),
        ("src/reprolab/architectures/alexnet32.py", "dropout: Share = 0.5", "dropout: Share = 0.4", NOTHING),
        ("src/reprolab/core/config.py", "crop_padding: Margin = 0", "crop_padding: Margin = 1",
         ALL_STAGES - {"download@digits"}),
        # Which optimizer or schedule an experiment uses is not in its dependencies: each could be.
        ("src/reprolab/training/optimizers/adam.py", "= 0.0", "= 0.1", TRAININGS),
        ("src/reprolab/training/schedules/one_cycle.py", "= 0.3", "= 0.2", TRAININGS),
        ("src/reprolab/training/record.py", "best_epochs: list[int]", "best_epochs: list[float]",
         TRAININGS | COMPARISON),
        ("src/reprolab/models/classifier.py", "BATCH = 500", "BATCH = 400", TRAININGS),
        ("src/reprolab/architectures/lenet5.py", '= "tanh"', '= "relu"', {"train@digits-lenet5"}),
        ("src/reprolab/sources/digits.py", "255 / 16", "254 / 16", DATA_STAGES),
        ("src/reprolab/data/fetch.py", "SECONDS = 30", "SECONDS = 31",
         DATA_STAGES | TRAININGS),
        ("src/reprolab/evaluation/figures.py", "WINDOW = 60", "WINDOW = 50", EVALUATIONS | COMPARISON),
        ("src/reprolab/reports/comparison.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9", COMPARISON),
        ("data/baselines.csv", "accuracy,,0.97,", "accuracy,,0.96,", COMPARISON),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" in value else "",
)  # fmt: skip
def test_a_changed_default_makes_stale_what_uses_it_or_could(
    pipeline: Pipeline, path: str, old: str, new: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipeline.edited(path, old, new):
        assert stale(pipeline, monkeypatch) == expected


def test_what_is_no_python_file_makes_nothing_stale(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [pipeline.root / "src/reprolab/training" / name for name in (".loop.py.swp", "__pycache__/loop.pyc")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    found = stale(pipeline, monkeypatch)
    for file in files:
        file.unlink()
    assert found == NOTHING


def test_what_changes_the_meaning_of_a_training_s_code_is_evaluated_anew(pipeline: Pipeline) -> None:
    # The experiment names its pooling, so that the scores stay; that of its code is what the results are made from.
    with pipeline.edited("src/reprolab/architectures/lenet5.py", '] = "average"', '] = "max"'):
        output = pipeline.run("dvc", "repro", "compare@digits").stdout
        assert "digits-lenet5, seed 0, epoch 2:" in output
        expected = {"train@digits-lenet5", "evaluate@digits-lenet5", "compare@digits"}
        assert set(re.findall(r"Running stage '(.+)'", output)) == expected
    assert pipeline.repro("compare@digits") == NOTHING


def test_an_edited_comparison_is_made_anew(pipeline: Pipeline) -> None:
    former = pipeline.set("comparisons.digits.curves", True)
    assert pipeline.repro("compare@digits") == COMPARISON
    assert (pipeline.root / "metrics/comparison/digits/curves.png").exists()
    pipeline.set("comparisons.digits.curves", former)
    assert pipeline.repro("compare@digits") == set()
    assert not (pipeline.root / "metrics/comparison/digits/curves.png").exists()


def test_an_error_in_the_parameters_loses_nothing(pipeline: Pipeline) -> None:
    former = pipeline.set(LEARNING_RATE, -1)
    found = pipeline.run("dvc", "repro", "compare@digits", check=False)
    assert found.returncode != 0
    assert f"{LEARNING_RATE}: found -1; it should be greater than 0" in found.stdout
    assert "Traceback" not in found.stdout
    pipeline.set(LEARNING_RATE, former)
    assert pipeline.repro("compare@digits") == set()
    assert pipeline.run("git", "status", "--porcelain").stdout == ""
