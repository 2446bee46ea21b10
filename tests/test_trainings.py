"""`reprolab trainings` and what `reprolab prune` removes of them."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from reprolab.cli import prune, trainings
from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.layout import METRICS, SPLITS, study_file, training_folder
from reprolab.data.parts import load_training_data
from reprolab.data.split import make_split, save_split
from reprolab.models.build import resolve_experiment
from reprolab.studies.record import save_rows
from reprolab.training.archive import train_once
from reprolab.training.folder import About
from reprolab.training.identity import Origin, origins_of
from tests.factories import make_origin, make_params, make_points, make_source
from tests.result_factories import make_train_record
from tests.studied import make_trial


def origin(letter: str) -> Origin:
    return make_origin(data=letter)


def identity(letter: str) -> str:
    return origin(letter).identity


def train(params: Params, letter: str) -> Path:
    train_once("small", params.experiment("small"), make_points(20), None, origin(letter), lambda epoch: None)
    return training_folder(identity(letter))


def name_in_results(experiment: str, letter: str) -> Path:
    path = METRICS / "digits" / experiment / "train.json"
    make_train_record(identities=[identity(letter)]).save(path)
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
    assert first.startswith(f"{identity('a')[:12]}  small, seed 0  trained 20")
    assert first.endswith("MB  used by the workspace")
    assert second.startswith(f"{identity('b')[:12]}  small, seed 0  trained 20")
    assert second.endswith("used by nothing")
    assert third == f"{identity('c')[:12]}  absent, seed 3  begun  0.0 MB  used by nothing"
    assert total.startswith("3 trainings, ")


def test_a_training_says_by_which_commit_it_was_made(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".gitignore").write_text(".reprolab\ndata\n", encoding="utf-8")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message", "first")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout[:10]
    Path("metrics").mkdir()
    Path("metrics/new.json").touch()  # what DVC writes is no edit
    train(params, "a")
    Path("new.py").touch()
    train(params, "b")
    capsys.readouterr()
    trainings.run(params)
    first, second, _ = capsys.readouterr().out.splitlines()
    assert f"+00:00 by commit {commit}  " in first and f"+00:00 by commit {commit} with edits  " in second


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
    known = origins_of(present, load_training_data(SPLITS / "digits", "train"), None)[0]
    would_be_taken_over = training_folder(known.identity)
    train_once("small", present, data, None, known, lambda epoch: None)
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


def test_a_table_of_trials_uses_its_trainings(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    by_study, by_none = train(params, "a"), train(params, "b")
    save_rows(study_file("tried"), [make_trial(identity=identity("a"))])
    capsys.readouterr()
    trainings.run(params)
    assert [line.rpartition("used by ")[2] for line in capsys.readouterr().out.splitlines()[:2]] == [
        "the workspace", "nothing",
    ]  # fmt: skip
    for folder in (by_study, by_none):
        os.utime(folder, (0, 0))
    git("add", str(study_file("tried")))
    git("commit", "--quiet", "--message", "study")
    study_file("tried").unlink()
    prune.run(make_params({"small": {}}))
    assert (by_study.exists(), by_none.exists()) == (True, False)


def test_without_git_nothing_is_removed(params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.utime(train(params, "a"), (0, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"git cannot say which results name a training: it is not installed, or "):
        prune.run(params)
    assert training_folder(identity("a")).exists()
