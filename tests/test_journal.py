"""A journal tells what happened, however the process that wrote it ended."""

import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from reprolab.core.errors import InputError
from reprolab.core.journal import Journal, Line, is_alive, process_facts
from reprolab.training.history import journal_epochs
from reprolab.training.record import Epoch
from tests.factories import make_epoch, make_scores


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "runs" / "journal.jsonl")


def events(journal: Journal) -> list[str]:
    return [line["event"] for line in journal.lines()]


def test_lines_are_in_the_file_as_soon_as_they_are_added(journal: Journal) -> None:
    with journal.running(name="small"):
        journal.add("epoch", number=1)
        assert events(journal) == ["start", "epoch"]
        assert journal.lines()[0]["name"] == "small"
        assert (journal.is_open(), journal.status()) == (True, "RUNNING")
    assert events(journal) == ["start", "epoch", "end"]
    assert (journal.is_open(), journal.status()) == (False, "FINISHED")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValueError("too large"), "FAILED", "ValueError: too large"),
        (ValueError(), "FAILED", "ValueError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (SystemExit(143), "KILLED", "SystemExit: 143"),
    ],
)
def test_the_end_says_how_the_block_ended(journal: Journal, error: BaseException, status: str, words: str) -> None:
    with pytest.raises(type(error)), journal.running():
        raise error
    assert (journal.status(), journal.lines()[-1]["error"]) == (status, words)


WRITER = """
import sys, time
from pathlib import Path
from reprolab.core.journal import Journal
journal = Journal(Path(sys.argv[1]))
with journal.running():
    journal.add("epoch", number=1)
    print("running", flush=True)
    time.sleep(600)
"""


def test_a_killed_writer_leaves_a_journal_that_says_so_and_a_resumed_one_goes_on_in_it(journal: Journal) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(journal.path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout and writer.stdout.readline() == "running\n"
    assert journal.status() == "RUNNING"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert (journal.status(), events(journal)) == ("KILLED", ["start", "epoch"])
    with journal.running():
        pass
    assert events(journal) == ["start", "epoch", "start", "end"]


@pytest.mark.parametrize("torn", ['{"event": "epo', '{"event": "epoch", "number": 2}', "\x00"])
def test_a_torn_last_line_is_dropped_when_it_is_read_and_when_the_journal_goes_on(journal: Journal, torn: str) -> None:
    with journal.running():
        journal.add("epoch", number=1)
    with journal.path.open("a") as file:
        file.write(torn)
    assert events(journal) == ["start", "epoch", "end"]
    with journal.running():
        pass
    assert events(journal) == ["start", "epoch", "end", "start", "end"]


def test_a_file_that_is_no_journal_is_named(journal: Journal) -> None:
    journal.path.parent.mkdir()
    journal.path.write_text("no journal\n{}\n")
    with pytest.raises(InputError, match=r"journal\.jsonl is damaged .*: remove it"):
        journal.lines()


def test_without_a_file_there_is_nothing(journal: Journal) -> None:
    assert journal.lines() == []
    assert not journal.is_open()


def epochs(*numbers: int, added: tuple[int, ...] = (), loss: float = 0.5) -> list[Line]:
    return [
        {"event": "epoch", "time": 1.0, **asdict(make_epoch(number, make_scores(loss=loss)))}
        | ({"added": True} if number in added else {})
        for number in numbers
    ]


def test_a_resumed_training_is_cut_back_to_its_checkpoint() -> None:
    lines: list[Line] = [*epochs(1, 2, 3, 4), {"event": "start"}, *epochs(3, loss=0.25)]
    found = journal_epochs(lines)
    assert [(number, moment.scores["train/loss"]) for number, moment in found.items()] == [
        (1, 0.5),
        (2, 0.5),
        (3, 0.25),
    ]


def test_a_training_that_begins_again_keeps_nothing_of_the_former_one() -> None:
    assert list(journal_epochs([*epochs(1, 2, 3), *epochs(1, loss=0.25)])) == [1]


def test_epochs_that_a_kill_took_from_the_journal_are_added_in_their_place() -> None:
    assert list(journal_epochs([*epochs(1), *epochs(3, 4), *epochs(2, added=(2,))])) == [1, 2, 3, 4]


def test_the_clocks_come_last_and_what_is_not_known_is_not_there() -> None:
    line = {"event": "epoch", "time": 1.0, **asdict(Epoch(1, make_scores(), None))}
    assert list(journal_epochs([line])[1].scores) == ["train/loss", "train/accuracy", "train/macro_f1"]
    names = sorted(journal_epochs(epochs(1))[1].scores)
    assert names[-2:] == ["wall/epoch_seconds", "wall/images_per_second"]


def test_a_process_is_known_by_its_birth_and_not_by_its_number_alone() -> None:
    facts = process_facts()
    assert is_alive(facts["process"], facts["born"])
    assert not is_alive(facts["process"], facts["born"] - 60)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not is_alive(ended.pid, facts["born"])
