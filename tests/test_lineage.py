"""What a journal begins with: who made a result, by which commit, from which data and code."""

import subprocess
from pathlib import Path

import pytest
import torch

from reprolab.tracking.lineage import comparison_lineage, run_title, training_identity, training_lineage
from reprolab.training.identity import hash_of
from tests.factories import make_origin

ORIGINS = {seed: make_origin(seed) for seed in (0, 1)}
PARAMS = "experiments:\n  small: {training: {epochs: 5, optimizer: {name: adam, lr: 0.1}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The working directory, with a commit of `params.yaml`."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    identity = ("-c", "user.name=n", "-c", "user.email=e@localhost")
    for arguments in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "--message", "first")):
        subprocess.run(["git", *arguments], check=True)
    return tmp_path


def test_it_has_hashes_of_data_and_code() -> None:
    tags = training_lineage(ORIGINS)
    assert tags["reprolab.data"] == ORIGINS[0].data
    assert tags["reprolab.code"] == hash_of(ORIGINS[0].modules)
    assert torch.__version__.startswith(tags["reprolab.torch"])
    assert not {"reprolab.dvc_experiment", "mlflow.source.git.commit"} & tags.keys()


def test_it_names_the_commit_and_whether_files_differ_from_it(repository: Path) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    tags = training_lineage(ORIGINS)
    assert (tags["mlflow.source.git.commit"], tags["reprolab.git_dirty"]) == (commit, "False")
    (repository / "new").touch()
    assert training_lineage(ORIGINS)["reprolab.git_dirty"] == "True"


def test_it_names_the_experiment_of_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-name")
    assert training_lineage(ORIGINS)["reprolab.dvc_experiment"] == "sunny-name"


def test_it_needs_neither_git_nor_a_name_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 54321)
    tags = training_lineage(ORIGINS)
    assert tags["mlflow.user"] == "54321"
    assert "mlflow.source.git.commit" not in tags


def test_a_comparison_is_made_from_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    found = []
    for text in ("one", "another", "one"):
        (tmp_path / "small" / "test.json").write_text(text)
        found.append(comparison_lineage(tmp_path)["reprolab.data"])
    assert found[0] == found[2] != found[1]


def test_a_result_of_other_seeds_has_another_identity() -> None:
    assert training_identity({0: "a", 1: "b"}) != training_identity({0: "a"}) != training_identity({1: "b"})


def test_a_title_says_what_is_otherwise_than_in_the_commit_or_else_the_experiment_of_dvc(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_title("small") == "small"
    monkeypatch.setenv("DVC_EXP_NAME", "sunny-name")
    assert run_title("small") == "small (sunny-name)"
    (repository / "params.yaml").write_text(PARAMS.replace("0.1", "0.2").replace("5", "9"))
    assert run_title("small") == "small (epochs=9, lr=0.2)"
    (repository / "params.yaml").write_text("experiments: [")
    assert run_title("small") == "small (sunny-name)"


def test_a_title_of_a_new_experiment_or_without_git_is_its_name(repository: Path, tmp_path: Path) -> None:
    (repository / "params.yaml").write_text(PARAMS.replace("small", "new"))
    assert run_title("new") == "new"
    (repository / ".git").rename(repository / "no-git")
    assert run_title("new") == "new"
