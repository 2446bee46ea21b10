"""Commands do the same wherever they run: locale, streams, umask; and a message fits a screen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprolab.core.errors import InputError, choice, fitting, shown
from tests.factories import REPOSITORY

SCRIPT = """
import logging, os, sys
from pathlib import Path
from reprolab.core.errors import InputError, run_command

def main():
    Path("file").touch()
    print("95 % – † \\ud800 w0nder")
    logging.warning("w0nder – é")
    {last}

run_command(main)
"""


def run(folder: Path, last: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of ours that prints, warns and then does the `last` thing."""
    (folder / "script.py").write_text(SCRIPT.replace("{last}", last), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY / "src"), "MLFLOW_TRACKING_URI": "http://u:w0nder@host"} | environment,
        check=False,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "latin-1", "LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "utf-16", "PYTHONUTF8": "1"},
        {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "gbk"},
    ],
    ids=str,
)
def test_what_is_printed_is_in_utf_8_without_secrets(environment: dict[str, str], tmp_path: Path) -> None:
    found = run(tmp_path, "raise InputError('w0nder – †')", **environment)
    assert found.returncode == 1
    assert found.stdout.decode() == "95 % – † \\ud800 ***\n"
    assert found.stderr.decode() == "WARNING:root:*** – é\nerror: *** – †\n"


def test_a_traceback_of_an_error_of_ours_has_no_secrets(tmp_path: Path) -> None:
    found = run(tmp_path, "raise ValueError('w0nder')")
    assert found.returncode == 1 and found.stderr.decode().endswith("ValueError: ***\n")


@pytest.mark.parametrize(("umask", "mode"), [(0o777, 0o600), (0o222, 0o644), (0o027, 0o640), (0, 0o666)])
def test_what_is_written_can_be_read(umask: int, mode: int, tmp_path: Path) -> None:
    former = os.umask(umask)
    try:
        assert run(tmp_path, "pass").returncode == 0
    finally:
        os.umask(former)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("last", ["pass", "for number in range(13000): print(number)"])
@pytest.mark.parametrize("closed", ["| head -1", ">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_causes_no_traceback(last: str, closed: str, tmp_path: Path) -> None:
    command = f'"{sys.executable}" -c "$SCRIPT" {closed}'
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "SCRIPT": SCRIPT.replace("{last}", last)}
    found = subprocess.run(
        ["/bin/bash", "-c", command], cwd=tmp_path, env=os.environ | environment, check=False, capture_output=True
    )
    assert b"Traceback" not in found.stderr and b"Exception" not in found.stderr


@pytest.mark.parametrize(
    "message",
    ["x" * 10**6, "line\n" * 10**5, "\x1b[31m\ud800\0" * 10**5, "é " * 10**6 + "\n" * 10**6],
    ids=["long", "high", "signs", "both"],
)
def test_a_message_fits_a_screen(message: str) -> None:
    text = str(InputError(message))
    assert len(text) <= 3000 and text.count("\n") < 20
    assert text.isprintable() or "\n" in text
    text.encode("utf-8")


def test_a_message_that_fits_stays_as_it_is() -> None:
    message = "params.yaml has 1 error(s):\n  experiments.a.training.lr: found -1 – it should be greater than 0"
    assert fitting(message) == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ten", "'ten'"),
        ([0, 1], "[0, 1]"),
        ({"mean": [0.5]}, "{'mean': [0.5]}"),
        (None, "None"),
        (16**5000, "a whole number of 20001 bits"),
        ("\ud800", "'\\ud800'"),
    ],
    ids=["text", "list", "mapping", "none", "number", "surrogate"],
)
def test_a_value_is_shown_as_python_writes_it(value: object, expected: str) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize("value", ["x" * 10**6, list(range(10**6)), {str(key): key for key in range(10**5)}, 10**999])
def test_a_large_value_is_shown_in_short(value: object) -> None:
    assert len(shown(value)) < 120


def test_a_choice_of_many_is_shown_in_short_with_the_nearest() -> None:
    text = choice("unknown experiment", "mlp-77" + "7" * 10**5, [f"mlp-{number}" for number in range(1000)])
    assert len(text) < 600 and text.endswith(" and 970 more")
    assert "(did you mean 'mlp-77'?)" in choice("unknown", "mlp-77x", [f"mlp-{number}" for number in range(1000)])
