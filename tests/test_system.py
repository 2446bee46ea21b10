"""What the system refuses is told in a sentence that names the file and what to do; nothing half-written stays."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from reprolab.core.files import atomic_directory, atomic_file, write_text
from reprolab.core.system import sentence_about
from tests.factories import REPOSITORY, params_settings

RunStage = Callable[..., object]
TRAIN = ("small", "data/splits/noise", "models/random", "models/small", "metrics/noise/small")


@pytest.fixture
def repository(split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an experiment that is to be trained."""
    monkeypatch.setenv("REPROLAB_VIEW", "off")
    settings = params_settings({"small": {"dataset": "noise", "model": {"name": "mlp", "hidden": [200]}}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return tmp_path


@contextmanager
def limited(kind: int, most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), "a.csv: no space is left: `reprolab prune` and"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.csv"),
            "a.csv: no permission: `ls -l` shows whose",
        ),
        (OSError(errno.EROFS, "Read-only", "a.csv"), "a.csv: the file system is read-only: work in a folder that can"),
        (OSError(errno.EMFILE, "Too many", "a.csv"), "a.csv: too many files are open: raise the limit (`ulimit -n`)"),
        (
            OSError(errno.ENOTDIR, "Not a directory", "a/b"),
            f"a/b: {os.strerror(errno.ENOTDIR)}; `reprolab",
        ),
        (MemoryError(), "not enough memory: choose a smaller training.batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory: choose a smaller"),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), "no space is left: "),
        (OSError("1000 requested and 30 written"), "no space is left: "),
        (ValueError("a mistake of ours"), None),
    ],
    ids=str,
)
def test_an_error_of_the_system_has_a_sentence(error: BaseException, expected: str | None) -> None:
    found = sentence_about(error)
    assert found is None if expected is None else found and found.startswith(expected)


def test_a_file_that_is_too_large_is_named_and_not_written(
    repository: Path, run_stage: RunStage, capfd: pytest.CaptureFixture[str]
) -> None:
    with limited(resource.RLIMIT_FSIZE, 50_000):
        code = run_stage("train", *TRAIN)
    error = capfd.readouterr().err
    assert (code, error.count("\n")) == (1, 1), error
    assert error.startswith("error: ") and "weights.safetensors: larger than a file may be" in error
    assert not (repository / "models").exists() and not (repository / "metrics").exists()
    assert not list(repository.rglob("*.partial"))
    assert run_stage("train", *TRAIN) == 0


def test_too_many_open_files_are_no_reason_to_forget_a_training(
    repository: Path, run_stage: RunStage, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_stage("train", *TRAIN) == 0
    capfd.readouterr()
    open_files = len([*Path("/proc/self/fd").iterdir()]) if Path("/proc/self/fd").exists() else 60
    with limited(resource.RLIMIT_NOFILE, open_files):
        code = run_stage("train", *TRAIN)
    error = capfd.readouterr().err
    assert code == 1 and "too many files are open: raise the limit" in error and "Traceback" not in error
    assert run_stage("train", *TRAIN) == 0
    assert "small, seed 0: known" in capfd.readouterr().out


def test_a_file_where_a_folder_should_be_is_named(
    repository: Path, run_stage: RunStage, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "metrics").write_text("not a folder")
    assert run_stage("train", *TRAIN) == 1
    error = capfd.readouterr().err
    assert error.startswith("error: ") and "metrics/noise" in error and "Traceback" not in error


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is not held to an address space")
def test_too_little_memory_is_told(repository: Path) -> None:
    settings = params_settings({"small": {"dataset": "noise", "model": {"name": "mlp", "hidden": [16_000, 16_000]}}})
    (repository / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    code = (
        "import resource, runpy, sys; sys.argv = sys.argv[1:]; import torch; "
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096; "
        "resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, -1)); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(REPOSITORY / "stages/train.py"), *TRAIN],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert "error: not enough memory: choose a smaller training.batch_size" in found.stderr


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # not waited for: the system keeps its number
    left = [tmp_path / f".a.txt.{dead.pid}.partial", tmp_path / f".b.{dead.pid}.partial"]
    others = [tmp_path / f".a.txt.{os.getppid()}.partial", tmp_path / f".c.txt.{dead.pid}.partial"]
    left[1].mkdir()
    for path in (left[0], left[1] / "file", *others):
        path.write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    with atomic_directory(tmp_path / "b") as folder:
        (folder / "file").write_text("whole")
    assert [path.exists() for path in left] == [False, False]
    assert [path.exists() for path in others] == [True, True]
    dead.wait()
    os.utime(others[0], (0, 0))  # older than the process that has the number now
    write_text(tmp_path / "a.txt", "whole")
    assert not others[0].exists()


def test_an_error_says_for_which_file_the_temporary_one_was(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised, atomic_file(tmp_path / "a.csv") as partial:
        raise OSError(errno.ENOSPC, "No space left on device", str(partial))
    assert (sentence_about(raised.value) or "").startswith(f"{tmp_path / 'a.csv'}: no space is left")
