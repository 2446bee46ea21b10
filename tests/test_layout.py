"""Where files lie."""

from pathlib import Path

import pytest

from reprolab.core.layout import (
    contrast_file,
    has_run,
    metrics_folder,
    repository_root,
    study_file,
    training_folder,
)


@pytest.mark.parametrize("copy", ["", ".dvc/tmp/exps/tmpab12", ".dvc/tmp/exps/standalone/tmpab12"])
def test_repository_root_is_that_of_dvc_s_copies_too_and_not_another_dvc_s(
    copy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # as DVC leaves it, where it is set around it
    root = tmp_path / "inner repository"
    (root / copy).mkdir(parents=True)
    monkeypatch.chdir(root / copy)
    assert repository_root() == root.resolve()


def test_trainings_lie_at_the_root(tmp_path: Path) -> None:
    assert training_folder("a1b2") == tmp_path / ".reprolab/trainings/a1b2"


def test_results_of_studies_lie_beside_those_of_data_sets() -> None:
    assert (study_file("s"), contrast_file("c")) == (Path("metrics/study/s.csv"), Path("metrics/contrast/c.json"))


@pytest.mark.parametrize("lacking", [None, "train.json", "curves.csv", "test.json"])
def test_an_experiment_has_run_when_all_its_results_are_there(
    lacking: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = metrics_folder("digits", "small")
    folder.mkdir(parents=True)
    for name in {"train.json", "curves.csv", "test.json"} - {lacking}:
        (folder / name).touch()
    assert has_run(folder) == (lacking is None)
