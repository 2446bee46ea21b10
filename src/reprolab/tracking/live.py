"""What a stage has to do with MLflow: it starts the live view, and in the end waits for it, a moment at most."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import Field

from reprolab.core.errors import InputError
from reprolab.core.files import Record
from reprolab.core.journal import Journal
from reprolab.core.layout import VIEWS, repository_root
from reprolab.core.registry import LIBRARY
from reprolab.tracking.store import store_name, tracking_uri

STAGE_WAITS_SECONDS = 2.0
VARIABLE = "REPROLAB_VIEW"  # `off` for none


class Shown(Record):
    """What the view says of itself: the size of each journal that MLflow has, and what is wrong."""

    sizes: dict[str, int] = Field(default_factory=dict)
    error: str | None = None


@contextmanager
def shown(journal: Journal) -> Iterator[None]:
    """Have MLflow show a journal while the block writes it. In the end wait for that, 2 s at most, and say so where
    MLflow lacks it."""
    if os.environ.get(VARIABLE) == "off":
        yield
        return
    wake()
    try:
        yield
    finally:
        wake()
        _wait_for(journal)


def wake() -> None:
    """Start the view where it does not run."""
    with suppress(BlockingIOError), view_file("lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_UN)
        # A temporary copy of the repository may be gone before the view is.
        source = repository_root() / "src"
        library = source if (source / LIBRARY.name).is_dir() else LIBRARY.parent
        with view_file("log").open("wb") as log:
            subprocess.Popen(
                [sys.executable, "-m", "reprolab.tracking.view"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the stage
                cwd=repository_root(),
                env=os.environ | {"PYTHONPATH": str(library)},
            )


def _wait_for(journal: Journal) -> None:
    deadline = time.monotonic() + STAGE_WAITS_SECONDS
    size = journal.path.stat().st_size
    state = Shown()
    while time.monotonic() < deadline:
        with suppress(InputError):
            state = Shown.load(view_file("json"))
        if state.sizes.get(journal.path.name, 0) >= size:
            return
        if state.error:
            break
        time.sleep(0.05)
    if state.error:
        print(
            f"warning: MLflow lacks this run for now: {state.error}. The results are in files all the same; "
            "`reprolab sync` adds what is missing",
            file=sys.stderr,
        )


def view_file(ending: str) -> Path:
    """Of the view of the present store."""
    folder = repository_root() / VIEWS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{store_name(tracking_uri())}.{ending}"
