"""The checkpoint of a training: when it is written, with what, and that it leads to the same end."""

import io
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import reprolab.training.checkpoint as module
from reprolab.core.config import Experiment
from reprolab.data.batches import Batches
from reprolab.data.parts import load_training_data
from reprolab.training.checkpoint import DIGEST_BYTES, EVERY_SECONDS
from reprolab.training.record import Epoch, Fit
from reprolab.training.run import train
from tests.factories import REPOSITORY, make_experiment, make_points

EPOCHS = 5
OnEpoch = Callable[[Epoch], None]


def full(optimizer: dict[str, Any]) -> Experiment:
    """With dropout, augmentation, momentum, a schedule and snapshots: all that a checkpoint has to hold."""
    return make_experiment(
        {
            "epochs": EPOCHS,
            "batch_size": 10,
            "optimizer": optimizer,
            "schedule": {"name": "one_cycle"},
            "snapshots": True,
        },
        model={"name": "cnn", "dropout": 0.5},
        input={"crop_padding": 1, "flip": True},
    )


FULL = full({"name": "sgd", "lr": 0.05, "momentum": 0.9})
MUON = full({"name": "muon", "lr": 0.02, "rest_lr": 0.05})
SMALL = make_experiment({"epochs": EPOCHS})


class Stop(Exception):
    """Stands for whatever ends a process early."""


def run(checkpoint: Path | None, on_epoch: OnEpoch = lambda epoch: None, experiment: Experiment = SMALL) -> Fit:
    return train(experiment, make_points(40), None, 0, checkpoint, on_epoch)


def weights(fit: Fit) -> torch.Tensor:
    return torch.cat([value.flatten() for value in fit.classifier.state_dict().values()])


def trained_epochs(numbers: list[int]) -> OnEpoch:
    return lambda epoch: numbers.append(epoch.number)


def epochs_in(checkpoint: Path) -> int:
    return len(torch.load(io.BytesIO(checkpoint.read_bytes()[DIGEST_BYTES:]))["epochs"])


def stop_within(epoch: int, patch: pytest.MonkeyPatch) -> None:
    """Raise `Stop` before the second batch of this epoch."""
    whole = Batches.epoch

    def broken_off(self: Batches, seed: int, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for place, batch in enumerate(whole(self, seed, number)):
            if (number, place) == (epoch, 1):
                raise Stop
            yield batch

    patch.setattr(Batches, "epoch", broken_off)


@pytest.mark.parametrize("every", [0.0, EVERY_SECONDS], ids=["each epoch", "at the end"])
@pytest.mark.parametrize(("epoch", "experiment"), [(2, FULL), (4, FULL), (2, MUON)], ids=["2", "4", "2, Muon"])
def test_a_training_that_was_broken_off_in_an_epoch_goes_on_from_the_last_whole_one(
    epoch: int,
    experiment: Experiment,
    every: float,
    split_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, path = load_training_data(split_folder, "train"), tmp_path / "checkpoint"
    whole = train(experiment, data, None, 0)
    monkeypatch.setattr(module, "EVERY_SECONDS", every)
    with pytest.raises(Stop), monkeypatch.context() as patch:
        stop_within(epoch, patch)
        train(experiment, data, None, 0, path)
    assert epochs_in(path) == epoch - 1
    numbers: list[int] = []
    resumed = train(experiment, data, None, 0, path, trained_epochs(numbers))
    assert numbers == list(range(epoch, EPOCHS + 1))
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.losses == whole.losses
    for one, other in zip(resumed.epochs, whole.epochs, strict=True):
        assert (one.train, one.validation, one.learning_rate) == (other.train, other.validation, other.learning_rate)
    assert resumed.best.number == whole.best.number
    for number, snapshot in whole.snapshots.items():
        assert all(torch.equal(resumed.snapshots[number][name], value) for name, value in snapshot.items())


def test_every_checkpoint_leads_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    path = tmp_path / "checkpoint"

    def keep(epoch: Epoch) -> None:
        shutil.copy(path, tmp_path / f"{epoch.number}")

    whole = run(path, keep)
    for number in range(1, EPOCHS + 1):
        numbers: list[int] = []
        resumed = run(tmp_path / f"{number}", trained_epochs(numbers))
        assert numbers == list(range(number + 1, EPOCHS + 1))
        assert torch.equal(weights(resumed), weights(whole))


def test_the_epoch_is_in_the_checkpoint_before_it_is_reported(tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise Stop

    with pytest.raises(Stop):
        run(tmp_path / "checkpoint", stop)
    numbers: list[int] = []
    run(tmp_path / "checkpoint", trained_epochs(numbers))
    assert numbers == [4, 5]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the checkpoint sees, in its one element."""
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_it_is_written_once_the_seconds_have_passed(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = module._write

    def counted(path: Path, content: dict[str, Any]) -> None:
        written.append(len(content["epochs"]))
        write(path, content)

    monkeypatch.setattr(module, "_write", counted)

    def a_third(epoch: Epoch) -> None:
        clock[0] += EVERY_SECONDS / 3 + 0.001
        if epoch.number == 9:
            raise Stop

    settings = make_experiment({"epochs": 10})
    with pytest.raises(Stop):
        run(tmp_path / "checkpoint", a_third, settings)
    assert written == [4, 7, 9]  # and the last one for the exception
    run(tmp_path / "checkpoint", a_third, settings)
    assert written == [4, 7, 9]


def test_a_training_that_ends_well_in_a_moment_writes_none(clock: list[float], tmp_path: Path) -> None:
    run(tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_without_a_whole_epoch_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_within(1, monkeypatch)
    with pytest.raises(Stop):
        run(tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_former_one_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    save = torch.save

    def full_disk(content: dict[str, Any], file: io.BytesIO) -> None:
        if len(content["epochs"]) == 3:
            raise OSError("no space left")
        save(content, file)

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        run(tmp_path / "checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert epochs_in(tmp_path / "checkpoint") == 2


def test_a_write_that_is_interrupted_leaves_the_last_whole_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    write, written = module._write, []

    def interrupted(path: Path, content: dict[str, Any]) -> None:
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(module, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint")
    assert epochs_in(tmp_path / "checkpoint") == 3


STOPS_IN_EPOCH_4 = """
import sys, time
from pathlib import Path
from reprolab.core.errors import run_command
from reprolab.data.batches import Batches
from tests.test_checkpoint import run

whole = Batches.epoch

def epoch(self, seed, number):
    for place, batch in enumerate(whole(self, seed, number)):
        if (number, place) == (4, 1):
            print("in epoch 4", flush=True)
            time.sleep(60)
        yield batch

Batches.epoch = epoch
run_command(lambda: run(Path(sys.argv[1])))
"""


def test_sigterm_in_an_epoch_leaves_the_last_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    command = [sys.executable, "-c", STOPS_IN_EPOCH_4, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "in epoch 4\n"
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]
    numbers: list[int] = []
    resumed = run(path, trained_epochs(numbers))
    assert numbers == [4, 5]
    assert torch.equal(weights(resumed), weights(run(None)))
