"""The folder of one training: its checkpoint while it runs, its result when it is done.

It belongs to one process at a time. What it holds is verified by hash before it is used.
"""

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, ClassVar, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import Record
from reprolab.core.git import head, is_edited
from reprolab.core.integrity import verified, write_hashes
from reprolab.core.journal import Journal
from reprolab.core.layout import TRAINING_DONE as DONE
from reprolab.core.layout import TRAINING_JOURNAL
from reprolab.core.layout import TRAINING_RESULT as RESULT
from reprolab.core.layout import TRAINING_WEIGHTS as WEIGHTS
from reprolab.core.system import sentence_about
from reprolab.data.parts import TrainingData
from reprolab.models.classifier import build_classifier
from reprolab.models.folder import load_snapshots, save_snapshots, save_tensors
from reprolab.training.device import Device, processor
from reprolab.training.identity import Origin
from reprolab.training.proof import Proof
from reprolab.training.record import Epoch, Fit

R = TypeVar("R", bound=Record)
LOCK, ABOUT, CHECKPOINT = "lock", "about.json", "checkpoint"
MADE, PROOF = "made.json", "proof.json"
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")


class About(Record):
    """`about.json`, written first: for which experiment the training was begun, which others may share, and what it is
    made from; None for one that is known from its result's files alone."""

    experiment: str
    seed: int
    origin: Origin | None = None


class Result(Record):
    """`result.json`: all of a `Fit` but its weights."""

    keeps_none: ClassVar[bool] = True

    device: Device
    epochs: list[Epoch]
    best: int
    losses: list[float]


class Made(Record):
    """`made.json`: when and where a training was done, by which commit and with which versions; `note` says how it is
    known where it was not trained here."""

    finished: str
    commit: str | None = None
    edited: bool = False  # whether files differed from the commit
    machine: str
    processor: str
    python: str
    versions: dict[str, str]
    note: str | None = None

    def __str__(self) -> str:
        by = f" by commit {self.commit[:10]}{' with edits' if self.edited else ''}" if self.commit else ""
        return f"{self.note or 'trained'} {self.finished}{by}"

    @classmethod
    def now(cls, device: Device, note: str | None = None) -> "Made":
        return cls(
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=head(),
            edited=is_edited(),
            machine=platform.node(),
            processor=processor(device.name),
            python=platform.python_version(),
            versions={package: version(package) for package in PACKAGES},
            note=note,
        )


@dataclass(frozen=True)
class TrainingFolder:
    path: Path

    @property
    def identity(self) -> str:
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    @property
    def journal(self) -> Journal:
        return Journal(self.path / TRAINING_JOURNAL)

    @property
    def is_done(self) -> bool:
        return (self.path / DONE).exists()

    def about(self) -> About | None:
        """None where it is not known."""
        return _load_if_whole(self.path / ABOUT, About)

    def made(self) -> Made | None:
        """None while the training is not done."""
        return _load_if_whole(self.path / MADE, Made) if self.is_done else None

    def proof(self) -> Proof | None:
        """None where it left none, or one that cannot be read."""
        return _load_if_whole(self.path / PROOF, Proof)

    def megabytes(self) -> float:
        size = 0
        for path in self.path.iterdir():
            with suppress(FileNotFoundError):  # a checkpoint takes the place of the former one
                size += path.stat().st_size
        return size / 1e6

    def save(self, about: About, fit: Fit, made: Made) -> None:
        """Write the result in the place of any other, and remove the checkpoint."""
        (self.path / DONE).unlink(missing_ok=True)
        about.save(self.path / ABOUT)
        save_tensors(self.path / WEIGHTS, fit.classifier.state_dict())
        if fit.snapshots:
            save_snapshots(self.path, about.seed, fit.snapshots)
        best = fit.epochs.index(fit.best)
        Result(device=fit.device, epochs=fit.epochs, best=best, losses=fit.losses).save(self.path / RESULT)
        made.save(self.path / MADE)
        self.seal()
        self.checkpoint.unlink(missing_ok=True)

    def seal(self) -> None:
        """Write `done.json`, the hashes of the result's files."""
        names = (ABOUT, WEIGHTS, RESULT, MADE)
        files = [self.path / name for name in names] + sorted(self.path.glob("seed-*"))
        write_hashes(self.path / DONE, files)

    def copy_result(self, to: "TrainingFolder") -> None:
        """Raises `InputError` where a file is missing or is not what was written."""
        for name in self.verified():
            shutil.copyfile(self.path / name, to.path / name)

    def load(self, experiment: Experiment, data: TrainingData) -> tuple[Fit, Made]:
        """The result. Raises `InputError` where a file is missing or is not what was written."""
        self.verified()
        try:
            result, made = Result.load(self.path / RESULT), Made.load(self.path / MADE)
            classifier = build_classifier(experiment, data.info)
            classifier.load_state_dict(load_file(self.path / WEIGHTS))
            seeds = [int(path.name.split("-")[1]) for path in self.path.glob("seed-*")]
            snapshots = load_snapshots(self.path, seeds[0]) if seeds else {}
            best = result.epochs[result.best]
        except (SafetensorError, RuntimeError, KeyError, IndexError) as error:
            if sentence_about(error):  # too many open files, say, and not the folder's fault
                raise
            raise InputError(f"{self.path} is of another version of reprolab ({error})") from None
        return Fit(classifier.eval(), result.device, result.epochs, best, result.losses, snapshots), made

    def verified(self) -> list[str]:
        """The names of the result's files. Raises `InputError` where one is missing or is not what was written."""
        return verified(self.path / DONE, needed=(WEIGHTS, RESULT, MADE))

    def empty(self) -> None:
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def remove(self) -> bool:
        """False where a process is at it."""
        with (self.path / LOCK).open("a", encoding="utf-8") as lock:
            if _locked(lock):
                shutil.rmtree(self.path)
                return True
        return False

    def is_running(self) -> bool:
        try:
            with (self.path / LOCK).open(encoding="utf-8") as lock:
                return not _locked(lock)
        except FileNotFoundError:
            return False

    @contextmanager
    def owned(self, what: str) -> Iterator[None]:
        """Hold the folder's lock, which ends with the process; say so where another one has it, and wait."""
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / LOCK).open("a+", encoding="utf-8") as lock:
                if not _locked(lock):
                    lock.seek(0)
                    print(f"{what}: process {lock.read() or '?'} is at this training; waiting for it", flush=True)
                    fcntl.flock(lock, fcntl.LOCK_EX)
                if not _is_at(self.path / LOCK, lock):
                    continue  # the folder was removed in the meantime
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
                for partial in self.path.glob(".*.partial"):  # left by a process that was killed
                    partial.unlink()
                try:
                    yield
                finally:
                    lock.truncate(0)
                return


def _load_if_whole(path: Path, kind: type[R]) -> R | None:
    try:
        return kind.load(path)
    except InputError:
        return None


def _locked(lock: IO[str]) -> bool:
    """Take the lock if it is free; it is free again when the file is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
