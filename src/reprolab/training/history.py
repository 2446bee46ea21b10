"""What is known of one seed's training: from its result, and its journal, which alone knows when and by whom."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from reprolab.core.files import read_json
from reprolab.core.journal import Journal, Line, Status
from reprolab.core.layout import TRAINING_DONE, TRAINING_JOURNAL, TRAINING_RESULT, training_folder

PARTS = ("train", "validation")
CLOCKS = "wall/"  # behind all others in the alphabet


@dataclass(frozen=True)
class Moment:
    """The numbers of an epoch by name, and when it ended, in seconds of the epoch; None where only the result tells."""

    scores: dict[str, float]
    time: float | None = None


@dataclass(frozen=True)
class History:
    """`facts` is what the journal's first line has, `process` its latest start. Times are in seconds of the epoch."""

    status: Status
    moments: dict[int, Moment] = field(default_factory=dict)
    facts: Line = field(default_factory=dict)
    process: Line = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    error: str | None = None


def history_of(identity: str) -> History | None:
    """None for a training that has not begun, or of which nothing is left. Raises `InputError` for a damaged file.

    A result counts until there is a new one: of a training that is done again and breaks off nothing is told.
    """
    folder = training_folder(identity)
    journal = Journal(folder / TRAINING_JOURNAL)
    lines, status = journal.lines(), journal.status()
    done = (folder / TRAINING_RESULT).exists() and (folder / TRAINING_DONE).exists()
    if done and status != "RUNNING":
        return _finished(read_json(folder / TRAINING_RESULT, dict[str, Any])["epochs"], lines)
    if not lines:
        return None
    attempt, process = _attempts(lines)[-1], _starts(lines)[-1]
    ended = None if status == "RUNNING" else lines[-1]["time"]
    error = lines[-1].get("error")
    return History(status, journal_epochs(attempt), attempt[0], process, attempt[0]["time"], ended, error)


def journal_epochs(lines: Iterable[Line]) -> dict[int, Moment]:
    """By number. A training that goes on from a checkpoint repeats what came after it, which no longer counts."""
    epochs: dict[int, Moment] = {}
    for line in lines:
        if line["event"] == "epoch":
            number = line["number"]
            epochs = {earlier: moment for earlier, moment in epochs.items() if earlier < number}
            epochs[number] = Moment(_scores(line), line["time"])
    return epochs


def _finished(epochs: Sequence[Line], lines: Sequence[Line]) -> History:
    """Of a result, with what the journal tells of the attempt that made it. An epoch that a kill took from the journal
    after the checkpoint had it, the result has too."""
    for attempt in reversed(_attempts(lines)):
        known = {line["number"]: line for line in attempt if line["event"] == "epoch"}
        times = {
            epoch["number"]: known[epoch["number"]]["time"]
            for epoch in epochs
            if epoch["number"] in known and epoch.items() <= known[epoch["number"]].items()
        }
        if times:
            moments = {epoch["number"]: Moment(_scores(epoch), times.get(epoch["number"])) for epoch in epochs}
            start, end = attempt[0], attempt[-1]
            return History("FINISHED", moments, start, _starts(attempt)[-1], start["time"], end["time"])
    return History("FINISHED", {epoch["number"]: Moment(_scores(epoch)) for epoch in epochs})


def _attempts(lines: Sequence[Line]) -> list[list[Line]]:
    """The journal in pieces, each of a training from its first epoch on, however often it was interrupted."""
    attempts: list[list[Line]] = []
    for process in _processes(lines):
        numbers = [line["number"] for line in process if line["event"] == "epoch"]
        if not attempts or numbers[:1] == [1]:
            attempts.append(process)
        elif numbers:
            attempts[-1] += process
    return attempts


def _processes(lines: Sequence[Line]) -> Iterator[list[Line]]:
    places = [place for place, line in enumerate(lines) if line["event"] == "start"]
    for place, following in pairwise([*places, len(lines)]):
        yield list(lines[place:following])


def _starts(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line["event"] == "start"]


def _scores(epoch: Line) -> dict[str, float]:
    """As `train/loss`."""
    named = {f"{part}/{name}": value for part in PARTS for name, value in (epoch[part] or {}).items()}
    others = {
        "train/learning_rate": epoch["learning_rate"],
        f"{CLOCKS}epoch_seconds": epoch["seconds"],
        f"{CLOCKS}images_per_second": epoch["images_per_second"],
    }
    return named | {name: value for name, value in others.items() if value is not None}
