"""Freed memory is kept for the next step, where it is glibc's to keep, and the kernel maps its pages once."""

import os
import platform
import subprocess
import sys

import pytest

from reprolab.core.allocator import VARIABLES
from tests.factories import REPOSITORY

STEPS, PAGES = 20, 64 * 2**20 // os.sysconf("SC_PAGE_SIZE")
FAULTS = f"""
import resource
from reprolab.core.errors import run_command

def main():
    for _ in range({STEPS}):
        b"x" * (64 * 2**20)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

run_command(main)
"""


def faults(**environment: str) -> int:
    """Pages that the kernel maps while a command makes and frees 64 MiB at each step, with these variables alone."""
    surroundings = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    found = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=surroundings | {"PYTHONPATH": str(REPOSITORY / "src"), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_a_command_keeps_freed_memory_unless_the_user_chose_otherwise() -> None:
    chosen_by_user = faults(GLIBC_TUNABLES="")
    assert faults() < chosen_by_user - (STEPS - 5) * PAGES
