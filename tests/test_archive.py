"""The archive of trainings: what is known is taken over, what was begun goes on, and what is damaged is not used."""

import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.layout import training_folder
from reprolab.training.archive import folder_of, train_once, trainings
from reprolab.training.device import processor
from reprolab.training.folder import About
from reprolab.training.record import Epoch, Fit
from tests.factories import make_experiment, make_origin, make_points

ORIGIN = make_origin()
IDENTITY = ORIGIN.identity


def run(numbers: list[int], experiment: Experiment | None = None, stop_at: int = 0) -> Fit:
    """Train on points; `numbers` gets those of the epochs that are trained."""

    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == stop_at:
            raise KeyboardInterrupt
        numbers.append(epoch.number)

    settings = experiment or make_experiment({"epochs": 4, "snapshots": True})
    return train_once("small", settings, make_points(20), None, ORIGIN, on_epoch)


def content(fit: Fit) -> dict[str, Any]:
    weights = {name: value.tolist() for name, value in fit.classifier.state_dict().items()}
    snapshots = {number: {k: v.tolist() for k, v in weights.items()} for number, weights in fit.snapshots.items()}
    return {
        "weights": weights, "snapshots": snapshots, "epochs": fit.epochs, "best": fit.best, "losses": fit.losses,
        "device": fit.device,
    }  # fmt: skip


@pytest.mark.parametrize("model", ["mlp", "mlp_classifier"])
def test_a_known_training_is_taken_over(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = make_experiment({"epochs": 4, "snapshots": True}, model={"name": model, "hidden": [4]})
    numbers: list[int] = []
    trained = run(numbers, experiment)
    capsys.readouterr()
    known = run(numbers, experiment)
    assert numbers == [1, 2, 3, 4]
    assert content(known) == content(trained)
    assert not known.classifier.training
    assert capsys.readouterr().out.startswith("small, seed 0: known, trained 20")
    assert not (training_folder(IDENTITY) / "checkpoint").exists()


def test_a_training_that_was_begun_goes_on_to_the_same_result() -> None:
    whole = run([])
    assert folder_of(IDENTITY).remove()
    numbers: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run(numbers, stop_at=3)
    assert {path.name for path in training_folder(IDENTITY).iterdir()} == {
        "lock", "about.json", "checkpoint", "journal.jsonl",
    }  # fmt: skip
    resumed = run(numbers)
    assert numbers == [1, 2, 4]  # the third was in the checkpoint before it was reported
    first, second = content(whole), content(resumed)
    assert (first["weights"], first["losses"]) == (second["weights"], second["losses"])


@pytest.mark.parametrize(
    "name", ["about.json", "weights.safetensors", "seed-0-epochs.safetensors", "result.json", "made.json", "done.json"]
)
def test_a_damaged_training_is_trained_anew(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    numbers: list[int] = []
    trained = run(numbers)
    path = training_folder(IDENTITY) / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    again = run(numbers)
    assert numbers == [1, 2, 3, 4] * 2
    assert "small, seed 0: trained anew, since what is known of it is damaged: " in capsys.readouterr().out
    for key, value in trained.classifier.state_dict().items():
        assert torch.equal(again.classifier.state_dict()[key], value)
    run(numbers)
    assert numbers == [1, 2, 3, 4] * 2


def test_what_a_killed_process_left_is_removed() -> None:
    run([])
    folder = training_folder(IDENTITY)
    for name in ("checkpoint", ".checkpoint.123.partial"):
        (folder / name).write_bytes(b"left")
    run([])
    assert {path.name for path in folder.iterdir()} == {
        "lock", "about.json", "weights.safetensors", "seed-0-epochs.safetensors", "result.json", "made.json",
        "done.json", "proof.json", "journal.jsonl",
    }  # fmt: skip


def test_a_training_says_what_it_is_made_from_and_when_where_and_with_what_it_was_made() -> None:
    run([])
    about, made = folder_of(IDENTITY).about(), folder_of(IDENTITY).made()
    assert about == About(experiment="small", seed=0, origin=ORIGIN)
    assert made and made.versions["torch"] == version("torch") and made.processor == processor("cpu")
    assert made.commit is None or re.fullmatch(r"[0-9a-f]{40}", made.commit)
    assert datetime.now(UTC) - datetime.fromisoformat(made.finished) < timedelta(minutes=1)


def test_a_training_of_another_seed_is_another() -> None:
    other = make_origin(seed=1)
    assert other.identity != IDENTITY
    experiment, numbers = make_experiment(), [0]
    for origin in (ORIGIN, other):
        train_once("small", experiment, make_points(20), None, origin, lambda epoch: numbers.append(epoch.number))
    assert numbers == [0, 1, 2, 1, 2]
    assert {folder.identity for folder in trainings()} == {IDENTITY, other.identity}


def test_a_training_without_a_proof_is_known_all_the_same() -> None:
    numbers: list[int] = []
    run(numbers)
    (training_folder(IDENTITY) / "proof.json").unlink()
    run(numbers)
    assert numbers == [1, 2, 3, 4]


def test_a_result_without_all_its_files_is_trained_anew() -> None:
    numbers: list[int] = []
    run(numbers)
    (training_folder(IDENTITY) / "done.json").write_text('{"sha256": {}}')
    run(numbers)
    assert numbers == [1, 2, 3, 4] * 2


def test_reprolab_fresh_trains_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    run(numbers)
    monkeypatch.setenv("REPROLAB_FRESH", "1")
    run(numbers)
    assert numbers == [1, 2, 3, 4] * 2


HOLDER = """
import fcntl, os, sys, time
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(str(os.getpid()))
    lock.flush()
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_a_second_process_says_who_is_at_the_training_and_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = training_folder(IDENTITY)
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(folder / "lock"), "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        started = time.monotonic()
        run([])
    assert time.monotonic() - started > 0.5
    assert f"small, seed 0: process {holder.pid} is at this training; waiting for it" in capsys.readouterr().out


def test_nothing_known_is_lost_before_there_is_a_new_result(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    run(numbers)
    monkeypatch.setenv("REPROLAB_FRESH", "1")
    with monkeypatch.context() as patch:
        patch.setenv("REPROLAB_DEVICE", "abacus")
        with pytest.raises(InputError, match="REPROLAB_DEVICE: found 'abacus'"):
            run(numbers)
    with pytest.raises(KeyboardInterrupt):
        run(numbers, stop_at=3)
    monkeypatch.delenv("REPROLAB_FRESH")
    run(numbers)
    assert numbers == [1, 2, 3, 4, 1, 2]
