"""`reprolab check` says what will stop the pipeline where it stands, and what to do."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from reprolab.cli.check import findings
from reprolab.cli.doctor import machine, repository
from reprolab.cli.main import main
from tests.factories import REPOSITORY

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(*command: str) -> object:
    return subprocess.run(["git", *command], check=True, capture_output=True, env=os.environ | GIT)


@pytest.fixture(autouse=True)
def repository_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git and DVC repository with the parameters of this one, as the working directory."""
    root = tmp_path / "my lab"
    (root / "data").mkdir(parents=True)
    for name in ("params.yaml", "data/baselines.csv"):
        shutil.copyfile(REPOSITORY / name, root / name)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").touch()
    monkeypatch.chdir(root)
    git("init", "-q", "-b", "main")
    for name, value in {"user.name": "me", "user.email": "me@example.org"}.items():
        git("config", name, value)
    git("commit", "-q", "--allow-empty", "-m", "start")
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SHELL", "/bin/sh")
    return root


def unwritable(path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As for a user whom it does not belong to; the superuser may write everywhere."""
    access = os.access

    def denied(asked: Path | str, mode: int) -> bool:
        return Path(asked).resolve() != path.resolve() and access(asked, mode)

    monkeypatch.setattr("os.access", denied)
    return True


def nameless() -> str:
    raise KeyError("getpwuid(): uid not found: 54321")


def found(*looks: str) -> list[tuple[str, str]]:
    names = {look.__name__: look for look in (*machine.LOOKS, *repository.LOOKS)}
    return [(finding.kind, finding.text) for look in looks for finding in names[look]()]


def problems(look: str) -> list[str]:
    return [f"{kind}: {text}" for kind, text in found(look) if kind != "ok"]


def test_a_healthy_repository_has_no_error() -> None:
    assert [finding for finding in findings() if finding.kind == "error"] == []


Change = Callable[[Path, pytest.MonkeyPatch], object]


@pytest.mark.parametrize(
    ("look", "change", "expected"),
    [
        (
            "_python",
            lambda root, patch: patch.setenv("PATH", "/no/such/folder"),
            "error: dvc runs `python`, which is not there, not that of ",
        ),
        (
            "_packages",
            lambda root, patch: patch.setattr(machine, "version", lambda name: "1.0"),
            "error: torchvision 1.0 needs torch",
        ),
        (
            "_device",
            lambda root, patch: patch.setenv("REPROLAB_DEVICE", "tpu"),
            "error: REPROLAB_DEVICE: found 'tpu'; this machine has: ",
        ),
        (
            "_shell",
            lambda root, patch: patch.setenv("SHELL", "/usr/sbin/nologin"),
            "error: dvc runs its commands by SHELL, which is /usr/sbin/nologin: `export SHELL=/bin/bash`",
        ),
        (
            "_git",
            lambda root, patch: patch.setenv("PATH", "/no/such/folder"),
            "error: git is not installed, and dvc needs it",
        ),
        (
            "_git",
            lambda root, patch: git("checkout", "-q", "--detach"),
            "note: git's HEAD is detached, so commits are on no branch: `git switch -c <name>`",
        ),
        (
            "_git",
            lambda root, patch: (git("config", "user.useConfigOnly", "true"), git("config", "--unset", "user.email")),
            "note: git does not know who you are, so it commits nothing: `git config --global user.name '…'`",
        ),
        (
            "_git",
            lambda root, patch: patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"),
            "note: git and `dvc exp` refuse {root}, which is another user's: `git config --global --add safe.directory "
            "'{root}'`",
        ),
        (
            "_git",
            lambda root, patch: patch.setenv("GIT_DIR", "/elsewhere/.git"),
            "note: GIT_DIR: set for another repository, it seems; reprolab does not heed it",
        ),
        (
            "_dvc",
            lambda root, patch: shutil.rmtree(root / ".git"),
            "error: this is no git repository, and dvc needs one: clone it instead of unpacking an archive",
        ),
        (
            "_dvc",
            lambda root, patch: ((root / ".dvc/tmp").mkdir(), (root / ".dvc/tmp/rwlock").touch()),
            "error: .dvc/tmp/rwlock is damaged, left by a dvc that was killed: when no other dvc is at work, `rm .dvc/",
        ),
        (
            "_dvc",
            lambda root, patch: (root / ".dvc/config").write_text("[cache\n", encoding="utf-8"),
            "error: dvc cannot work here (",
        ),
        (
            "_dvc",
            lambda root, patch: patch.setenv("DVC_ROOT", "/elsewhere"),
            "note: DVC_ROOT is /elsewhere, which is not this repository: reprolab does not heed it",
        ),
        (
            "_dvc",
            lambda root, patch: (root / ".dvc/config").write_text("[cache]\n    type = symlink\n", encoding="utf-8"),
            "note: dvc links outputs into its cache (cache.type symlink): never edit one in its place",
        ),
        (
            "_ownership",
            lambda root, patch: ((root / "metrics").mkdir(), unwritable(root / "metrics", patch)),
            "error: {root}/metrics cannot be written by you: `sudo chown -R",
        ),
        (
            "_links",
            lambda root, patch: ((root / "models").mkdir(), (root / "models/mlp").symlink_to("/gone/00ab")),
            "error: models/mlp is a link to nothing, /gone/00ab: `dvc checkout`",
        ),
        (
            "_space",
            lambda root, patch: patch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=3 * 10**8)),
            "error: {root} has 0.3 GB left: CIFAR-10 and its networks want 10",
        ),
        (
            "_space",
            lambda root, patch: patch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=3 * 10**9)),
            "note: {root} has 3.0 GB left",
        ),
        (
            "_user",
            lambda root, patch: unwritable(Path.home(), patch),
            "note: HOME, {home}, cannot be written",
        ),
        (
            "_user",
            lambda root, patch: patch.setattr(machine, "getuser", nameless),
            "error: the system has no name for user",
        ),
        (
            "_store",
            lambda root, patch: (root / "mlflow.db").write_text("no database " * 100, encoding="utf-8"),
            "note: MLflow's store {root}/mlflow.db cannot be used (file is not a database): runs are not tracked",
        ),
        (
            "_store",
            lambda root, patch: patch.setenv("MLFLOW_TRACKING_URI", "http://al1ce:w0nder@127.0.0.1:9"),
            "note: MLflow's server http://al1ce:w0nder@127.0.0.1:9 does not answer (",
        ),
        (
            "_mirror",
            lambda root, patch: patch.setenv("REPROLAB_MIRROR", "/no/such/folder"),
            "note: REPROLAB_MIRROR: /no/such/folder is no folder: set it to a folder or address",
        ),
        (
            "_mirror",
            lambda root, patch: patch.setenv("REPROLAB_MIRROR", "http://127.0.0.1:9/data"),
            "note: REPROLAB_MIRROR: http://127.0.0.1:9/data does not answer (",
        ),
        (
            "_locale",
            lambda root, patch: patch.setattr("locale.getencoding", lambda: "ISO-8859-1"),
            "note: the locale's encoding is ISO-8859-1: reprolab writes UTF-8 all the same",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("_") else "",
)
def test_what_is_wrong_is_told_with_the_cure(
    look: str, change: Change, expected: str, repository_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(repository_here, monkeypatch)
    start = expected.format(root=repository_here, home=Path.home())
    assert [text for text in problems(look) if text.startswith(start)], problems(look)


def test_a_repository_without_a_commit_is_told() -> None:
    shutil.rmtree(".git")
    git("init", "-q", "-b", "main")
    git("config", "user.name", "me")
    git("config", "user.email", "me@example.org")
    assert [text for text in problems("_git") if text.startswith("note: git has no commit here, and `dvc exp` needs")]


def test_a_store_that_others_use_and_one_that_is_not_there_yet_are_fine(repository_here: Path) -> None:
    assert found("_store") == [("ok", f"MLflow's store sqlite:///{repository_here}/mlflow.db")]
    assert not (repository_here / "mlflow.db").exists()
    with closing(sqlite3.connect("mlflow.db")) as connection:
        connection.execute("CREATE TABLE runs (id)")
        assert found("_store")[0][0] == "ok"


def test_a_server_that_answers_is_fine(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", server)
    assert found("_mirror") == [("ok", f"data from {server}, else from their official addresses")]


def run_main(monkeypatch: pytest.MonkeyPatch, *command: str) -> object:
    monkeypatch.setattr("sys.argv", ["reprolab", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_check_tells_all_errors_at_once_and_prints_no_secret(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Path("params.yaml").open("a", encoding="utf-8") as file:
        file.write("  nonsense: 1\n")
    monkeypatch.setenv("SHELL", "/bin/false")
    monkeypatch.setenv("REPROLAB_DEVICE", "tpu")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://al1ce:w0nder@127.0.0.1:{closed.getsockname()[1]}")
        assert run_main(monkeypatch, "check") == 1
    printed = capfd.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert [line.split()[1] for line in errors] == ["REPROLAB_DEVICE:", "dvc", "params.yaml"]
    assert "note: MLflow's server http://***@127.0.0.1:" in printed.out
    assert "w0nder" not in printed.out + printed.err and "al1ce" not in printed.out + printed.err


def test_commands_work_below_the_root(
    repository_here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository_here / "data")
    assert run_main(monkeypatch, "show", "digits-mlp") == 0
    assert "digits-mlp:" in capfd.readouterr().out
