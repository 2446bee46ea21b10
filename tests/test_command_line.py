"""`reprolab check`: what can be wrong is told before a stage runs."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reprolab.__main__ import main
from tests.conftest import REPOSITORY


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's parameters and baselines, as the working directory."""
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/baselines.csv"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["reprolab", "check"])
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def checked(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    return exit_.value.code, told.out, told.err


def test_the_repository_has_no_mistake(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = checked(capsys)
    assert (code, err) == (0, "")
    assert out.endswith("no mistake found\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("params.yaml", "name: mlp", "name: mpl", "experiments.digits-mlp.model.name: unknown name 'mpl'"),
        ("params.yaml", "hidden: [64]", "width: 64", "experiments.digits-mlp.model.width: unknown option of 'mlp'"),
        ("params.yaml", "{name: digits}", "{name: digits, size: 8}", "datasets.digits.source.size: unknown option"),
        ("params.yaml", "dataset: cifar10", "dataset: mnist", "datasets.cifar10: no experiment has `dataset: cifar10`"),
        ("data/baselines.csv", "digits,digits-mlp", "digits,digit-mlp", "digit-mlp: params.yaml has no such"),
    ],
)
def test_a_mistake_is_told(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, told: str
) -> None:
    replace(files / name, old, new)
    code, out, err = checked(capsys)
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and told in err


def test_results_of_a_removed_experiment_are_noted(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "metrics/digits/old").mkdir(parents=True)
    assert "note: metrics/digits/old is left over" in checked(capsys)[1]
