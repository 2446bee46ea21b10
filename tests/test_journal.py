"""A journal tells what happened, however the process that wrote it ended."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from reprolab.core.errors import InputError
from reprolab.core.files import write_json
from reprolab.core.journal import Journal, Line, is_alive, process_facts
from reprolab.core.layout import JOURNALS, TRAINING_JOURNAL, training_folder
from reprolab.training.history import History, history_of, journal_epochs
from reprolab.training.record import Epoch
from tests.factories import make_epoch, make_scores, params_settings


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


def epochs(*numbers: int, loss: float = 0.5) -> list[Line]:
    return [{"event": "epoch", "time": 1.0, **asdict(make_epoch(number, make_scores(loss=loss)))} for number in numbers]


def test_a_resumed_training_is_cut_back_to_its_checkpoint() -> None:
    lines: list[Line] = [*epochs(1, 2, 3, 4), {"event": "start"}, *epochs(3, loss=0.25)]
    found = journal_epochs(lines)
    assert [(number, moment.scores["train/loss"]) for number, moment in found.items()] == [
        (1, 0.5),
        (2, 0.5),
        (3, 0.25),
    ]


class Trained:
    """The folder of one training, in the making."""

    def __init__(self) -> None:
        self.folder = training_folder("a" * 64)
        self.journal = Journal(self.folder / "journal.jsonl")

    def run(self, *epochs: Epoch, ends: bool = True) -> None:
        with suppress(KeyboardInterrupt), self.journal.running(name=len(self.journal.lines())):
            for epoch in epochs:
                self.journal.add("epoch", **asdict(epoch))
            if not ends:
                raise KeyboardInterrupt

    def is_done(self, *epochs: Epoch) -> None:
        write_json(self.folder / "result.json", {"epochs": [asdict(epoch) for epoch in epochs]})
        write_json(self.folder / "done.json", {})

    def losses(self) -> list[float]:
        return [moment.scores["train/loss"] for moment in self.history().moments.values()]

    def history(self) -> History:
        history = history_of("a" * 64)
        assert history
        return history


def numbered(*numbers: int, seconds: float = 1.0) -> list[Epoch]:
    return [replace(make_epoch(number, make_scores(loss=1 / number)), seconds=seconds) for number in numbers]


def test_an_epoch_that_a_kill_took_from_the_journal_is_known_from_the_result() -> None:
    trained = Trained()
    trained.run(*numbered(1, 2), ends=False)
    trained.run(*numbered(4))
    assert trained.losses() == [1, 1 / 2, 1 / 4]
    trained.is_done(*numbered(1, 2, 3, 4))
    assert trained.losses() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert [moment.time is None for moment in trained.history().moments.values()] == [False, False, True, False]
    assert trained.history().facts["name"] == 0


def test_a_training_that_is_done_again_and_breaks_off_leaves_the_former_one() -> None:
    trained = Trained()
    trained.run(*numbered(1, 2))
    trained.is_done(*numbered(1, 2))
    former = trained.history()
    trained.run(*numbered(1, seconds=2.0), ends=False)
    assert trained.history() == former
    assert former.status == "FINISHED" and former.error is None


def test_a_training_that_is_done_again_takes_the_place_of_the_former_one() -> None:
    trained = Trained()
    trained.run(*numbered(1, 2))
    trained.is_done(*numbered(1, 2))
    trained.run(*numbered(1, 2, seconds=2.0))
    trained.is_done(*numbered(1, 2, seconds=2.0))
    history = trained.history()
    assert [moment.scores["wall/epoch_seconds"] for moment in history.moments.values()] == [2.0, 2.0]
    assert history.facts["name"] == 4 and history.started == trained.journal.lines()[4]["time"]


def test_without_a_journal_the_result_tells_the_epochs_and_no_times() -> None:
    trained = Trained()
    assert history_of("a" * 64) is None
    trained.is_done(*numbered(1, 2))
    history = trained.history()
    assert (history.status, trained.losses(), history.started) == ("FINISHED", [1, 1 / 2], None)
    assert {moment.time for moment in history.moments.values()} == {None}


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


def test_the_journals_of_a_training_that_diverges_say_that_it_failed(
    split_folder: Path,
    run_stage: Callable[..., object],
    any_learning_rate: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    training = {"optimizer": {"name": "sgd", "lr": 1e30}, "schedule": {"name": "constant"}}
    settings = params_settings({"small": {"dataset": "noise", "training": training}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    monkeypatch.setenv("REPROLAB_VIEW", "off")
    code = run_stage("train", "small", "data/splits/noise", "models/random", "models/small", "metrics/noise/small")
    assert code == 1
    assert "not finite in epoch 1, step " in capfd.readouterr().err
    written = [*(tmp_path / JOURNALS).glob("*.jsonl"), *training_folder("").glob(f"*/{TRAINING_JOURNAL}")]
    assert len(written) == 2
    for last in (Journal(path).lines()[-1] for path in written):
        assert last["status"] == "FAILED" and last["error"].startswith("DivergenceError: ")
    assert not (tmp_path / "models").exists()
