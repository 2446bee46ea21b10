"""A progress bar is seen on a terminal, whatever size it says it has, and nowhere else."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from tests.factories import REPOSITORY

WORK = """
import time
from reprolab.core.errors import run_command
from reprolab.core.progress import progress_bar

def main():
    with progress_bar("seed 0, epoch 1/2", 60, "examples") as bar:
        for _ in range(3):
            time.sleep(0.11)
            bar.update(20)
    print("done")

run_command(main)
"""
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY / "src"), "PATH": os.environ["PATH"]}


def seen_on_a_terminal(rows: int, columns: int) -> str:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-c", WORK], stdin=its, stdout=its, stderr=its, env=ENVIRONMENT)
    os.close(its)
    seen = b""
    try:
        while block := os.read(ours, 4096):
            seen += block
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return seen.decode()


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (0, 0), (50, 200)])
def test_a_bar_is_seen_and_wiped(rows: int, columns: int) -> None:
    seen = seen_on_a_terminal(rows, columns)
    assert "seed 0, epoch 1/2:  67%|" in seen and "40.0/60.0" in seen and "examples/s]" in seen
    assert seen.endswith(" \rdone\r\n")


def test_no_bar_is_written_to_a_file() -> None:
    found = subprocess.run([sys.executable, "-c", WORK], capture_output=True, env=ENVIRONMENT, check=True)
    assert (found.stdout, found.stderr) == (b"done\n", b"")
