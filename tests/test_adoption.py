"""A training that is proved to be another's is known under both identities, and only if it is whole."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.core.errors import InputError
from reprolab.training.archive import adopt, folder_of, train_once
from reprolab.training.folder import TrainingFolder
from reprolab.training.identity import Origin
from reprolab.training.proof import Proof, prove
from reprolab.training.record import Fit
from tests.factories import make_experiment, make_origin, make_points

EXPERIMENT = make_experiment({"snapshots": True})
FORMER, PRESENT = make_origin(), make_origin(modules={"reprolab.training.run": "e" * 64})


@pytest.fixture
def old() -> TrainingFolder:
    return folder_of(FORMER.identity)


@pytest.fixture
def new() -> TrainingFolder:
    return folder_of(PRESENT.identity)


@pytest.fixture
def proof() -> Proof:
    return prove(EXPERIMENT, make_points(20), None, 0)


def run(origin: Origin, numbers: list[int]) -> Fit:
    return train_once("small", EXPERIMENT, make_points(20), None, origin, lambda epoch: numbers.append(epoch.number))


def weights(fit: Fit) -> list[Any]:
    return [value.tolist() for value in fit.classifier.state_dict().values()]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_an_adopted_training_is_known_under_the_other_origin(
    old: TrainingFolder, new: TrainingFolder, proof: Proof, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers: list[int] = []
    first = run(FORMER, numbers)
    adopt(old, PRESENT, proof)
    capsys.readouterr()
    second = run(PRESENT, numbers)
    assert numbers == [1, 2]
    assert (weights(second), second.epochs, second.best, second.losses, second.device) == (
        weights(first), first.epochs, first.best, first.losses, first.device
    )  # fmt: skip
    assert second.snapshots.keys() == first.snapshots.keys() == {0, 1, 2}
    made, about = new.made(), new.about()
    assert made and about and about.origin == PRESENT
    assert made.note and made.note.startswith(f"proved to be {old.identity[:12]} of commit ")
    assert capsys.readouterr().out.startswith(f"small, seed 0: known, proved to be {old.identity[:12]} of commit ")
    assert new.proof() == proof
    run(FORMER, numbers)
    assert numbers == [1, 2]  # the former one stays


def test_an_adopted_training_is_verified_as_any_other(old: TrainingFolder, new: TrainingFolder, proof: Proof) -> None:
    numbers: list[int] = []
    run(FORMER, numbers)
    adopt(old, PRESENT, proof)
    flip_a_bit(new.path / "weights.safetensors")
    run(PRESENT, numbers)
    assert numbers == [1, 2, 1, 2]


def test_a_damaged_training_is_not_adopted(old: TrainingFolder, new: TrainingFolder, proof: Proof) -> None:
    run(FORMER, [])
    flip_a_bit(old.path / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.safetensors is not what the training wrote"):
        adopt(old, PRESENT, proof)
    assert not new.is_done


def test_what_was_begun_under_the_other_origin_is_no_longer_needed(
    old: TrainingFolder, new: TrainingFolder, proof: Proof
) -> None:
    run(FORMER, [])
    new.path.mkdir(parents=True)
    new.checkpoint.write_bytes(b"begun")
    adopt(old, PRESENT, proof)
    assert not new.checkpoint.exists()
