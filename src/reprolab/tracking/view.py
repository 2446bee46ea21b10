"""The live view: a process in the background that shows in MLflow what the journals say.

Whatever a store, a server or a network does, happens to the view and not to a stage. There is one for a store. It goes
away when no journal is open and all are shown, and when the store fails it tries again for as long as a journal is
open. What it misses, `reprolab sync` adds.
"""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from reprolab.core.errors import InputError, run_command
from reprolab.core.journal import Journal, is_alive
from reprolab.core.layout import JOURNALS, TRAINING_JOURNAL, repository_root, training_folder
from reprolab.core.secrets import cleaned
from reprolab.tracking.content import BORN, MACHINE, PROCESS
from reprolab.tracking.journals import run_of
from reprolab.tracking.live import Shown, view_file
from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError

POLL_SECONDS, RETRY_SECONDS, IDLE_SECONDS = 0.4, 2.0, 5.0


class State(NamedTuple):
    """Of a stage's journal: its size in bytes, that of its trainings' journals, and whether it is open."""

    size: int
    trainings: int
    open: bool


def main() -> None:
    """Show what the journals say, until all have ended."""
    with view_file("lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        os.nice(10)  # the training comes first
        view_file("json").unlink(missing_ok=True)
        _follow(time.time() - IDLE_SECONDS)


def end_dead_runs(store: Store) -> int:
    """Mark as killed the runs of every experiment whose process on this machine is no more; their number comes back."""
    running = f"attributes.status = 'RUNNING' and tags.`{MACHINE}` = '{platform.node()}'"
    dead = [
        run
        for run in store.search(store.experiments(), running)
        if not is_alive(int(run.data.tags.get(PROCESS, 0)), float(run.data.tags.get(BORN, 0)))
    ]
    for run in dead:
        store.call("set_terminated", run.info.run_id, "KILLED")
    return len(dead)


def _publisher() -> Publisher:
    store = Store()
    end_dead_runs(store)
    return Publisher(store)


def _follow(since: float) -> None:
    publisher: Publisher | None = None
    done: dict[Path, State] = {}
    idle_at = time.monotonic()
    while time.monotonic() - idle_at < IDLE_SECONDS and repository_root().exists():
        present = dict(_journals(since))
        waiting = [journal for journal, state in present.items() if done.get(journal.path) != state]
        if any(state.open for state in present.values()):
            idle_at = time.monotonic()
        try:
            publisher = publisher or _publisher()
            for journal in waiting:
                _publish(publisher, journal)
                done[journal.path] = present[journal]
                _say(done)
                idle_at = time.monotonic()
        except (StoreError, OSError) as error:
            publisher = None
            _say(done, cleaned(str(error)))
        time.sleep(POLL_SECONDS if publisher else RETRY_SECONDS)


def _publish(publisher: Publisher, journal: Journal) -> None:
    try:
        run = run_of(journal)
    except InputError:
        return  # damaged: `reprolab sync` says so
    if run:
        publisher.publish(run)


def _say(done: dict[Path, State], error: str | None = None) -> None:
    Shown(sizes={path.name: state.size for path, state in done.items()}, error=error).save(view_file("json"))


def _journals(since: float) -> Iterator[tuple[Journal, State]]:
    """Of the stages, those that are open or were written `since`."""
    for path in (repository_root() / JOURNALS).glob("*.jsonl"):
        journal = Journal(path)
        with suppress(FileNotFoundError, InputError):
            found, is_open = path.stat(), journal.is_open()
            if is_open or found.st_mtime > since:
                first = (journal.lines() or [{}])[0]
                identities = first.get("identities", {}).values()
                seeds = [training_folder(identity) / TRAINING_JOURNAL for identity in identities]
                trainings = sum(seed.stat().st_size for seed in seeds if seed.exists())
                yield journal, State(found.st_size, trainings, is_open)


if __name__ == "__main__":
    run_command(main)
