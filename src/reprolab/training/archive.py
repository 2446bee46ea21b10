"""The archive of trainings: a folder for each seed's training, named by its identity.

While a training runs its folder holds the checkpoint, and when it is done what `training.run.train` returned. A folder
belongs to one process at a time. What it holds is verified by hash before it is used.
"""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import Record, file_hash, write_json
from reprolab.core.layout import training_folder
from reprolab.data.parts import TrainingData
from reprolab.models.classifier import Weights, build_classifier
from reprolab.models.folder import load_snapshots, save_snapshots
from reprolab.models.pretrained import PretrainedWeights
from reprolab.training.device import Device
from reprolab.training.record import Epoch, Fit
from reprolab.training.run import train

R = TypeVar("R", bound=Record)
FRESH_VARIABLE = "REPROLAB_FRESH"
LOCK, ABOUT, CHECKPOINT = "lock", "about.json", "checkpoint.pt"
WEIGHTS, RESULT, MADE, DONE = "weights.safetensors", "result.json", "made.json", "done.json"


class About(Record):
    """`about.json`, written first: for which experiment the training was begun. Others may share it."""

    experiment: str
    seed: int


class Result(Record):
    """`result.json`: all of a `Fit` but its weights."""

    device: Device
    epochs: list[Epoch]
    best: int
    losses: list[float]

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))


class Made(Record):
    """`made.json`: when and where a training was done, by which commit and with which versions."""

    finished: str
    commit: str | None = None
    machine: str
    threads: int
    python: str
    versions: dict[str, str]


class Done(Record):
    """`done.json`, written last: the SHA-256 of every other file of the result."""

    sha256: dict[str, str]


def train_once(
    name: str,
    experiment: Experiment,
    data: TrainingData,
    pretrained: PretrainedWeights | None,
    seed: int,
    identity: str,
    on_epoch: Callable[[Epoch], None],
) -> Fit:
    """Take over the training that is known by this identity, or go on with one that was begun, or train.

    `on_epoch` is called for the epochs that are trained now. `name` is that of the experiment, for the messages and the
    record. With `REPROLAB_FRESH` set nothing is known. Raises `InputError` as `training.run.train` does.
    """
    folder = training_folder(identity)
    with _owned(folder, f"{name}, seed {seed}"):
        if os.environ.get(FRESH_VARIABLE):
            _empty(folder)
        elif (folder / DONE).exists():
            try:
                _verify(folder)
                fit, made = _load(folder, experiment, data), Made.load(folder / MADE)
            except (InputError, SafetensorError, RuntimeError, KeyError, IndexError, OSError) as error:
                print(f"{name}, seed {seed}: trained anew, since what is known of it is damaged: {error}", flush=True)
                _empty(folder)
            else:
                by = f" by commit {made.commit[:10]}" if made.commit else ""
                where = f" on {fit.device.name} in {fit.device.precision}"
                print(f"{name}, seed {seed}: known, trained {made.finished}{where}{by}", flush=True)
                (folder / CHECKPOINT).unlink(missing_ok=True)  # left by a process that was killed
                return fit
        About(experiment=name, seed=seed).save(folder / ABOUT)
        fit = train(experiment, data, pretrained, seed, folder / CHECKPOINT, on_epoch)
        _save(folder, fit, seed)
        return fit


@dataclass(frozen=True)
class Training:
    """A folder of the archive; `about` is None where that is not known, `made` while the training is not done."""

    folder: Path
    about: About | None
    made: Made | None
    is_running: bool
    megabytes: float

    @property
    def identity(self) -> str:
        return self.folder.name

    def remove(self) -> bool:
        """False where a process is at it."""
        with (self.folder / LOCK).open("a") as lock:
            if _locked(lock):
                shutil.rmtree(self.folder)
                return True
        return False


def trainings() -> list[Training]:
    """All in the archive, the latest last."""
    found = []
    for folder in training_folder("").glob("*/"):
        with suppress(FileNotFoundError):  # removed in the meantime
            found.append((folder.stat().st_mtime, _training(folder)))
    return [training for _, training in sorted(found, key=lambda pair: pair[0])]


def _training(folder: Path) -> Training:
    about = _load_if_whole(folder / ABOUT, About)
    made = _load_if_whole(folder / MADE, Made) if (folder / DONE).exists() else None
    size = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a checkpoint takes the place of the former one
            size += path.stat().st_size
    return Training(folder, about, made, _is_owned(folder), size / 1e6)


def _load_if_whole(path: Path, kind: type[R]) -> R | None:
    try:
        return kind.load(path)
    except InputError:
        return None


def _is_owned(folder: Path) -> bool:
    try:
        with (folder / LOCK).open() as lock:
            return not _locked(lock)
    except FileNotFoundError:
        return False


def _locked(lock: IO[str]) -> bool:
    """Take the lock if it is free; it is free again when the file is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _save(folder: Path, fit: Fit, seed: int) -> None:
    save_file(_plain(fit.classifier.state_dict()), folder / WEIGHTS)
    if fit.snapshots:
        save_snapshots(folder, seed, fit.snapshots)
    best = fit.epochs.index(fit.best)
    Result(device=fit.device, epochs=fit.epochs, best=best, losses=fit.losses).save(folder / RESULT)
    Made(
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        machine=platform.node(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        versions={package: version(package) for package in ("torch", "torchvision", "numpy", "scikit-learn", "pillow")},
    ).save(folder / MADE)
    files = [folder / name for name in (ABOUT, WEIGHTS, RESULT, MADE)] + sorted(folder.glob("seed-*"))
    Done(sha256={path.name: file_hash(path) for path in files}).save(folder / DONE)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _load(folder: Path, experiment: Experiment, data: TrainingData) -> Fit:
    result = Result.load(folder / RESULT)
    classifier = build_classifier(experiment, data.info)
    classifier.load_state_dict(load_file(folder / WEIGHTS))
    (snapshots,) = [load_snapshots(folder, int(path.name.split("-")[1])) for path in folder.glob("seed-*")] or [{}]
    epochs = result.epochs
    return Fit(classifier.eval(), result.device, epochs, epochs[result.best], result.losses, snapshots)


def _verify(folder: Path) -> None:
    """Raises `InputError` when a file of the result is missing or is not what was written."""
    found = Done.load(folder / DONE).sha256
    if not {WEIGHTS, RESULT, MADE} <= found.keys():
        raise InputError(f"{folder / DONE} lacks files")
    for name, expected in found.items():
        path = folder / name
        if not path.is_file() or file_hash(path) != expected:
            raise InputError(f"{path} is not what the training wrote")


@contextmanager
def _owned(folder: Path, what: str) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process; say so where another one has it, and wait."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a+") as lock:
            if not _locked(lock):
                lock.seek(0)
                print(f"{what}: process {lock.read() or '?'} is at this training; waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_at(folder / LOCK, lock):
                continue  # the folder was removed in the meantime
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            for partial in folder.glob(".*.partial"):  # left by a process that was killed
                partial.unlink()
            try:
                yield
            finally:
                lock.truncate(0)
            return


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _plain(weights: Weights) -> Weights:
    return {name: value.contiguous().cpu() for name, value in weights.items()}


def _commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None
