"""make works in a folder with a space, and what fails in `make run` is explained."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories import REPOSITORY

# Stands for each program. It notes how it is called; as `python -m venv` it makes the environment, and dvc fails.
PROGRAM = """#!/bin/bash
echo "$(basename "$0") $*" >> "$LOG"
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    for name in python dvc reprolab; do cp "$0" "$3/bin/$name"; done
fi
[ "$(basename "$0")" != dvc ]
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my lab (1)"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    program = tmp_path / "python3"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    for name in [name for name in os.environ if name.startswith("MAKE") or name == "MFLAGS"]:
        monkeypatch.delenv(name)
    return folder


def calls(lab: Path, *command: str) -> list[str]:
    """What `make` has called until now; the first four calls set the environment up."""
    python = lab.parent / "python3"
    subprocess.run(["make", f"PYTHON={python}", *command], cwd=lab, check=False, capture_output=True)
    return (lab.parent / "log").read_text(encoding="utf-8").splitlines()


def test_the_environment_lies_in_a_folder_with_a_space(lab: Path) -> None:
    assert calls(lab, "install")[1:] == [
        "python3 -m venv .venv",
        "python -m pip install --quiet --requirement requirements.lock",
        "python -m pip install --quiet --no-deps --editable .",
    ]
    assert calls(lab, "install", "prune", "ui", "PORT=5001")[4:] == ["reprolab prune", "reprolab ui --port 5001"]


def test_what_stops_the_quick_start_is_explained_by_check(lab: Path) -> None:
    assert calls(lab, "run")[4:] == ["dvc repro compare@digits", "reprolab check"]
