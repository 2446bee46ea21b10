"""`reprolab trainings` and what `reprolab prune` removes of them."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from reprolab.cli import prune, trainings
from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.layout import METRICS, SPLITS, training_folder
from reprolab.data.split import make_split, save_split
from reprolab.models.build import resolve_experiment
from reprolab.training.archive import About, train_once
from reprolab.training.identity import identities_of
from reprolab.training.record import TrainRecord
from tests.factories import make_params, make_points, make_source


def identity(letter: str) -> str:
    return letter * 64


def train(params: Params, letter: str) -> Path:
    train_once("small", params.experiment("small"), make_points(20), None, 0, identity(letter), lambda epoch: None)
    return training_folder(identity(letter))


def name_in_results(experiment: str, letter: str) -> Path:
    path = METRICS / "digits" / experiment / "train.json"
    TrainRecord(
        train_loss=0.5, train_accuracy=0.5, train_macro_f1=0.5, best_epochs=[1], seconds=1.0, images_per_second=1,
        device="cpu", precision="float32", identities=[identity(letter)],
    ).save(path)  # fmt: skip
    return path


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@localhost", *arguments], check=True)


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Of `small`, whose data are here, and `absent`, whose are not, in a git repository."""
    monkeypatch.chdir(tmp_path)
    (SPLITS / "digits").mkdir(parents=True)
    params = make_params({"small": {}, "absent": {"dataset": "mnist"}})
    save_split(make_split(make_source(), params.dataset("digits").split), make_source(), "digits", SPLITS / "digits")
    git("init", "--quiet", "--initial-branch", "main")
    return params


def test_trainings_are_listed_with_what_uses_them(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    train(params, "a")
    train(params, "b")
    begun = training_folder(identity("c"))
    begun.mkdir()
    About(experiment="absent", seed=3).save(begun / "about.json")
    name_in_results("small", "a")
    capsys.readouterr()
    trainings.run(params)
    first, second, third, total = capsys.readouterr().out.splitlines()
    assert first.startswith("aaaaaaaaaaaa  small, seed 0  done 20") and first.endswith("MB  used by the workspace")
    assert second.startswith("bbbbbbbbbbbb  small, seed 0  done 20") and second.endswith("used by nothing")
    assert third == "cccccccccccc  absent, seed 3  begun  0.0 MB  used by nothing"
    assert total.startswith("3 trainings, ")


def test_prune_removes_what_nothing_uses(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    by_workspace, by_branch, by_nothing, running = (train(params, letter) for letter in "abde")
    path = name_in_results("small", "b")
    git("add", str(path))
    git("commit", "--quiet", "--message", "results")
    git("checkout", "--quiet", "-b", "other")
    name_in_results("small", "a")
    git("commit", "--quiet", "--all", "--message", "others")
    data = make_points(20)
    present = resolve_experiment(params.experiment("small"), "small")
    from reprolab.data.parts import load_training_data

    known = identities_of(present, load_training_data(SPLITS / "digits", "train"), None).seeds[0]
    would_be_taken_over = training_folder(known)
    train_once("small", present, data, None, 0, known, lambda epoch: None)
    unsure, unknown = training_folder(identity("f")), training_folder(identity("0"))
    for folder, experiment in ((unsure, "absent"), (unknown, "removed")):
        folder.mkdir()
        About(experiment=experiment, seed=0).save(folder / "about.json")

    capsys.readouterr()
    prune.run(params)
    assert capsys.readouterr().out == "nothing to remove\n"  # all are of today
    for folder in training_folder("").iterdir():
        os.utime(folder, (0, 0))
    with (running / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prune.run(params)
    assert [folder.exists() for folder in (by_workspace, by_branch, would_be_taken_over, unsure, running)] == [True] * 5
    # Of whom `removed` was cannot be said while the data of `absent` are not here: it may have been renamed.
    assert [folder.exists() for folder in (by_nothing, unknown)] == [False, True]
    assert capsys.readouterr().out.endswith("1 removed\n")


def test_without_git_nothing_is_removed(params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.utime(train(params, "a"), (0, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not installed"):
        prune.run(params)
    assert training_folder(identity("a")).exists()
