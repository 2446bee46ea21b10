"""Whether a training goes on from a checkpoint: not from one that is damaged, or of another device or training."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.training.checkpoint import DIGEST_BYTES
from reprolab.training.record import Epoch
from tests.factories import make_experiment
from tests.test_checkpoint import EPOCHS, Stop, run, trained_epochs, weights


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The checkpoint of a training that was stopped after its third epoch."""

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise Stop

    with pytest.raises(Stop):
        run(tmp_path / "checkpoint", stop)
    return tmp_path / "checkpoint"


def flipped(place: float, content: bytes) -> bytes:
    """The content with one bit changed, at a place from 0 to 1."""
    changed = bytearray(content)
    changed[round(place * (len(content) - 1))] ^= 1
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"a bit at {place:.0%}": partial(flipped, place) for place in np.linspace(0, 1, 20)},
    "cut off": lambda content: content[: len(content) // 2],
    "a byte more": lambda content: content + b"\0",
    "empty": lambda content: b"",
    "another file": lambda content: b"not a checkpoint",
    "of an earlier version": lambda content: content[DIGEST_BYTES:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_trains_from_the_start(
    damage: str, interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = interrupted.read_bytes()
    interrupted.write_bytes(DAMAGES[damage](content))
    assert interrupted.read_bytes() != content
    capsys.readouterr()
    numbers: list[int] = []
    fitted = run(interrupted, trained_epochs(numbers))
    assert capsys.readouterr().out == f"not resumed from {interrupted}, which is damaged: training from the start\n"
    assert numbers == list(range(1, EPOCHS + 1))
    assert torch.equal(weights(fitted), weights(run(None)))


@pytest.mark.parametrize(
    ("variable", "value", "now"),
    [
        ("REPROLAB_THREADS", "2", "cpu in float32 with 2 thread(s)"),
        ("REPROLAB_PRECISION", "bfloat16", "cpu in bfloat16 with 1 thread(s)"),
    ],
)
def test_one_of_another_device_trains_from_the_start(
    variable: str,
    value: str,
    now: str,
    interrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    capsys.readouterr()
    numbers: list[int] = []
    fitted = run(interrupted, trained_epochs(numbers))
    assert capsys.readouterr().out == (
        f"not resumed from {interrupted}, which is of a training on cpu in float32 with 1 thread(s) and not on {now}: "
        "training from the start\n"
    )
    assert numbers == list(range(1, EPOCHS + 1))
    assert torch.equal(weights(fitted), weights(run(None)))


def test_one_that_is_gone_on_from_says_so(interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run(interrupted)
    assert capsys.readouterr().out == "resumes after epoch 3\n"


@pytest.mark.parametrize(
    "other",
    [
        make_experiment({"epochs": EPOCHS}, model={"name": "mlp", "hidden": [9]}),
        make_experiment({"epochs": EPOCHS, "optimizer": {"name": "adam", "lr": 0.05}}),
    ],
    ids=["model", "optimizer"],
)
def test_one_of_another_training_is_refused(other: Experiment, interrupted: Path) -> None:
    content = interrupted.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint is the checkpoint of another training \(.*\): remove it$"):
        run(interrupted, experiment=other)
    assert interrupted.read_bytes() == content


def test_the_file_begins_with_the_hash_of_the_rest(interrupted: Path) -> None:
    content = interrupted.read_bytes()
    assert content[:DIGEST_BYTES] == hashlib.sha256(content[DIGEST_BYTES:]).digest()
