"""What `dvc repro` would do with the trainings of an experiment: take over, resume or train, and for how long."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import IMAGENET, Experiment
from reprolab.core.errors import InputError
from reprolab.core.layout import TRAIN, TRAINING_RESULT, metrics_folder
from reprolab.core.registry import components
from reprolab.training.record import TrainRecord

if TYPE_CHECKING:
    from reprolab.training.folder import TrainingFolder


@dataclass(frozen=True)
class Outlook:
    """What becomes of a training, in words, and how long it takes: "" where it was never timed, None where it does not
    train."""

    fate: str
    length: str | None = None


def outlooks(name: str, experiment: Experiment) -> dict[int, Outlook]:
    """By seed. `experiment` is resolved."""
    from reprolab.training.archive import folder_of  # PyTorch takes a second to import

    epochs, seconds = experiment.training.epochs, _seconds_an_epoch(name)
    length = _duration(seconds * epochs) if seconds is not None else ""
    try:
        identities = _identities(experiment)
    except InputError as error:
        return dict.fromkeys(experiment.training.seeds, Outlook(f"{error}{'; if it trains' if length else ''}", length))
    return {seed: _outlook(folder_of(identity), epochs, length) for seed, identity in identities.items()}


def made(identity: str) -> str:
    """When and by which commit a training was done; empty where it is not in the archive."""
    from reprolab.training.archive import folder_of

    return str(folder_of(identity).made() or "")


def result_identities(name: str, experiment: Experiment) -> list[str]:
    """Of the trainings that the result in the workspace is made of, in the order of its seeds."""
    try:
        return TrainRecord.load(metrics_folder(experiment.dataset, name) / TRAIN).identities or []
    except InputError:
        return []


def modules_of(experiment: Experiment) -> dict[str, str]:
    """The hash of each module that counts in the identity of an experiment's trainings, as they are now."""
    from reprolab.training.identity import START, module_hashes

    return module_hashes(START, *(component.module_name for component in components(experiment)))


def former_modules(identities: Sequence[str]) -> dict[str, str]:
    """The same as they were for one of these trainings; none where the archive does not know."""
    from reprolab.training.archive import folder_of

    abouts = [folder_of(identity).about() for identity in identities]
    return next((about.origin.modules for about in abouts if about and about.origin), {})


def _outlook(folder: "TrainingFolder", epochs: int, length: str) -> Outlook:
    from reprolab.training.archive import FRESH_VARIABLE
    from reprolab.training.checkpoint import epochs_in

    if folder.is_running():
        return Outlook("trains now")
    if os.environ.get(FRESH_VARIABLE):
        return Outlook(f"trains anew, since {FRESH_VARIABLE} is set", length)
    if made := folder.made():
        return Outlook(f"known, {made}: taken over")
    if done := epochs_in(folder.checkpoint):
        rest = sum(epoch.seconds or 0 for epoch in done) / len(done) * (epochs - len(done))
        return Outlook(f"begun, resumes after epoch {len(done)} of {epochs}", f"{_duration(rest)} more")
    return Outlook("not known", length)


def _identities(experiment: Experiment) -> dict[int, str]:
    """By seed. Raises `InputError` where they cannot be said."""
    from reprolab.training.identity import origins_of

    if experiment.init_from == IMAGENET:
        raise InputError("not looked up, which would fetch the ImageNet weights")
    try:
        inputs = load_inputs(experiment)
    except InputError:
        raise InputError("not looked up before its data and starting weights are here") from None
    return {seed: origin.identity for seed, origin in origins_of(experiment, *inputs).items()}


def _seconds_an_epoch(name: str) -> float | None:
    """In the last training of an experiment; None where none was trained here."""
    from reprolab.training.archive import trainings
    from reprolab.training.folder import Result

    done = []
    for folder in trainings():
        about, found = folder.about(), folder.made()
        if about and found and about.experiment == name:
            done.append((found.finished, folder.path / TRAINING_RESULT))
    for _, path in sorted(done, reverse=True):
        try:
            seconds = [epoch.seconds for epoch in Result.load(path).epochs if epoch.seconds is not None]
        except InputError:
            continue
        if seconds:
            return sum(seconds) / len(seconds)
    return None


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than 1 s"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
