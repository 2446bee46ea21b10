"""The journal of a run: an append-only file with a line for all that happened, on disk as it happened.

It holds what a result must not: times, rates, machine, process. Whoever writes it holds the file's lock, which ends
with the process, so that a run whose journal has neither an end nor an owner is known to have been killed.
"""

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from reprolab.core.errors import InputError
from reprolab.core.files import write_text
from reprolab.core.secrets import cleaned

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Line = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    path: Path

    @contextmanager
    def running(self, **facts: Any) -> Iterator[None]:
        """Write that a process begins, with its facts, and in the end how it ended: `FINISHED`, or with an error
        `FAILED`, or when it was interrupted `KILLED`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _drop_torn_line(file)
            self.add("start", **facts, **process_facts())
            end: dict[str, Any] = {"status": "FINISHED"}
            try:
                yield
            except BaseException as error:
                interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
                end = {"status": "KILLED" if interrupted else "FAILED", "error": _words(error)}
                raise
            finally:
                self.add("end", **end)

    def add(self, event: str, **values: Any) -> None:
        """Append a line. It is with the operating system when this returns, so that no kill takes it back."""
        line = json.dumps({"event": event, "time": time.time(), **values}) + "\n"
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def lines(self) -> list[Line]:
        """Without a last line that is torn. Raises `InputError` for a file that is no journal."""
        try:
            whole, _, _torn = self.path.read_bytes().rpartition(b"\n")
            return [json.loads(line) for line in whole.splitlines()]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise InputError(f"{self.path} is damaged ({error}): remove it") from None

    def is_open(self) -> bool:
        """Whether a process writes it."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def status(self) -> Status:
        """How the last process at it ended, or that one is running."""
        if self.is_open():
            return "RUNNING"
        last = (self.lines() or [{}])[-1]
        status: Status = last["status"] if last.get("event") == "end" else "KILLED"
        return status

    def write(self, start: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
        """The whole journal of work that has ended, which is named by its result."""
        now = {"time": time.time()}
        lines = [
            {"event": "start", **now, **start, **process_facts()},
            {"event": "scores", **now, **scores},
            {"event": "end", **now, "status": "FINISHED"},
        ]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in lines))


def process_facts() -> dict[str, Any]:
    return {"machine": platform.node(), "process": os.getpid(), "born": psutil.Process().create_time()}


def is_alive(process: int, born: float) -> bool:
    """Whether it is the same process still, and not a later one with its number. `born` is in seconds of the epoch."""
    try:
        return bool(abs(psutil.Process(process).create_time() - born) < 2)  # a clock that is set moves it a little
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _drop_torn_line(file: IO[bytes]) -> None:
    file.seek(0)
    whole, newline, _torn = file.read().rpartition(b"\n")
    file.truncate(len(whole + newline))


def _words(error: BaseException) -> str:
    return cleaned(f"{type(error).__name__}: {error}".rstrip(": "))
