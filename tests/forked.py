"""Processes that do the same at once, forked from one that has imported what takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

from tests.factories import REPOSITORY

# MLflow opens nothing as it is imported, so each opens the store by itself.
SCRIPT = """
import os, sys
import mlflow.store.tracking.sqlalchemy_store, mlflow.tracking
import tests.tracked

processes = []
for number in range(int(sys.argv[2])):
    processes.append(os.fork())
    if not processes[-1]:
        exec(sys.argv[1], {"number": number})
        os._exit(0)  # the end of all that was imported takes a second
failed = [process for process in processes if os.waitpid(process, 0)[1] != 0]
sys.exit(len(failed))
"""


def all_at_once(code: str, processes: int, folder: Path) -> None:
    """Run code in so many processes, which know their `number`. None may fail."""
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    command = [sys.executable, "-c", SCRIPT, code, str(processes)]
    assert subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, check=False).returncode == 0
