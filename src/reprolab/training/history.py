"""What is known of one seed's training: from its journal, and from its result where it has no journal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reprolab.core.files import read_json
from reprolab.core.journal import Journal, Line, Status
from reprolab.core.layout import TRAINING_JOURNAL, TRAINING_RESULT, training_folder

PARTS = ("train", "validation")


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
    """None for a training that has not begun, or of which nothing is left. Raises `InputError` for a damaged file."""
    folder = training_folder(identity)
    journal = Journal(folder / TRAINING_JOURNAL)
    lines = journal.lines()
    done = (folder / TRAINING_RESULT).exists() and (folder / "done.json").exists()
    if not lines:
        if not done:
            return None
        result: dict[str, Any] = read_json(folder / TRAINING_RESULT, dict[str, Any])
        return History("FINISHED", {epoch["number"]: Moment(_scores(epoch)) for epoch in result["epochs"]})
    starts = [line for line in lines if line["event"] == "start"]
    status = journal.status()
    return History(
        # A kill after the result was complete, and before the journal's end, took nothing away.
        status="FINISHED" if done and status == "KILLED" else status,
        moments=journal_epochs(lines),
        facts=starts[0],
        process=starts[-1],
        started=starts[0]["time"],
        ended=None if status == "RUNNING" else lines[-1]["time"],
        error=lines[-1].get("error"),
    )


def journal_epochs(lines: Sequence[Line]) -> dict[int, Moment]:
    """By number. A training that goes on from a checkpoint repeats what came after it, which no longer counts; `added`
    are those that a kill between the checkpoint and the journal left out."""
    epochs: dict[int, Moment] = {}
    for line in lines:
        if line["event"] == "epoch":
            number = line["number"]
            if not line.get("added"):
                epochs = {earlier: moment for earlier, moment in epochs.items() if earlier < number}
            epochs[number] = Moment(_scores(line), line["time"])
    return dict(sorted(epochs.items()))


def _scores(epoch: Line) -> dict[str, float]:
    """As `train/loss`; the clocks behind all others in the alphabet."""
    named = {f"{part}/{name}": value for part in PARTS for name, value in (epoch[part] or {}).items()}
    others = {
        "train/learning_rate": epoch["learning_rate"],
        "wall/epoch_seconds": epoch["seconds"],
        "wall/images_per_second": epoch["images_per_second"],
    }
    return named | {name: value for name, value in others.items() if value is not None}
