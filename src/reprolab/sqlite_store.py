"""An SQLite file that several processes open for MLflow."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY_SECONDS = 5


@contextmanager
def opened_alone(database: Path) -> Iterator[None]:
    """Let one process at a time set up the file's tables: two together would leave it unusable for good.

    Raises `sqlite3.Error` or `OSError` at once where MLflow would try to open the file again and again for minutes.
    """
    with database.with_name(f"{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")
        yield
