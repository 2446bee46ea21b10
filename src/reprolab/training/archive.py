"""The archive of trainings: a folder for each seed's training, named by its identity.

What is known is taken over, what was begun goes on. A training can be entered from its result's files, and under
another identity once that is proved to give the same.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import read_table
from reprolab.core.layout import CURVES, MODEL, STEPS, TRAIN, training_folder
from reprolab.data.parts import TrainingData
from reprolab.models.folder import ModelInfo, load_classifier, load_snapshots
from reprolab.models.pretrained import PretrainedWeights
from reprolab.training.device import Device
from reprolab.training.folder import ABOUT, MADE, PROOF, About, Made, TrainingFolder
from reprolab.training.identity import Origin
from reprolab.training.proof import Proof, prove
from reprolab.training.record import CurvePoint, Epoch, Fit, Scores, StepLoss, TrainRecord
from reprolab.training.run import train

FRESH_VARIABLE = "REPROLAB_FRESH"


def train_once(
    name: str,
    experiment: Experiment,
    data: TrainingData,
    pretrained: PretrainedWeights | None,
    origin: Origin,
    on_epoch: Callable[[Epoch], None],
    facts: Mapping[str, Any] = MappingProxyType({}),
    training: Callable[..., Fit] = train,
    proves: bool = True,
) -> Fit:
    """Take over the training that is known by the origin's identity, or go on with one that was begun, or train.

    `on_epoch` is called for the epochs that are trained now, each of which is in the training's journal by then; the
    journal begins with `facts`. `name` is that of the experiment, for the messages and the record. `training` is called
    as `training.run.train` is, and gives the same. The training `proves` what it is, unless a proof would take as long.
    With `REPROLAB_FRESH` set nothing is known; a result that is there stays until there is the new one. Raises
    `InputError` as `training.run.train` does.
    """
    folder = folder_of(origin.identity)
    what = f"{name}, seed {origin.seed}"
    about = About(experiment=name, seed=origin.seed, origin=origin)
    with folder.owned(what):
        if os.environ.get(FRESH_VARIABLE):
            folder.checkpoint.unlink(missing_ok=True)
        elif folder.is_done:
            try:
                fit, made = folder.load(experiment, data)
            except InputError as error:
                print(f"{what}: trained anew, since what is known of it is damaged: {error}", flush=True)
                folder.empty()
            else:
                print(f"{what}: known, {made} on {fit.device}", flush=True)
                folder.checkpoint.unlink(missing_ok=True)  # left by a process that was killed
                return fit
        if not folder.is_done:
            about.save(folder.path / ABOUT)
        journal = folder.journal
        with journal.running(**facts):

            def journalled(epoch: Epoch) -> None:
                journal.add("epoch", **asdict(epoch))
                on_epoch(epoch)

            fit = training(experiment, data, pretrained, origin.seed, folder.checkpoint, journalled)
            folder.save(about, fit, Made.now(fit.device))
        if proves:
            prove(experiment, data, pretrained, origin.seed).save(folder.path / PROOF)
        return fit


def folder_of(identity: str) -> TrainingFolder:
    return TrainingFolder(training_folder(identity))


def trainings() -> list[TrainingFolder]:
    """All in the archive, the latest last."""
    found = []
    for path in training_folder("").glob("*/"):
        with suppress(FileNotFoundError):  # removed in the meantime
            found.append((path.stat().st_mtime, path))
    return [TrainingFolder(path) for _, path in sorted(found)]


def remember(name: str, model: Path, metrics: Path, origins: dict[int, Origin]) -> list[int]:
    """Enter the trainings of a result that is in files, which DVC may have restored; return the seeds that were new.

    `origins` has what the present trainings are made from. Raises `InputError` where a file is missing or damaged.
    """
    info = ModelInfo.load(model / MODEL)
    seeds = info.experiment.training.seeds
    identities = TrainRecord.load_identities(metrics / TRAIN, seeds)
    new = [seed for seed in seeds if not folder_of(identities[seed]).is_done]
    if new:
        fits = _read_fits(model, metrics, new)
        for seed, fit in fits.items():
            folder = folder_of(identities[seed])
            present = origins.get(seed)
            known = present if present and present.identity == folder.identity else None
            with folder.owned(f"{name}, seed {seed}"):
                about = About(experiment=name, seed=seed, origin=known)
                folder.save(about, fit, Made.now(fit.device, note="entered from its result's files"))
    return new


def adopt(known: TrainingFolder, origin: Origin, proof: Proof) -> None:
    """Enter a known training under the identity of `origin`, for which `proof` holds too.

    Raises `InputError` where a file of the known one is missing or is not what was written.
    """
    folder, about, made = folder_of(origin.identity), known.about(), known.made()
    assert about and made
    what = f"{about.experiment}, seed {about.seed}"
    with known.owned(what), folder.owned(what):
        folder.empty()
        known.copy_result(folder)
        about.model_copy(update={"origin": origin}).save(folder.path / ABOUT)
        note = f"proved to be {known.identity[:12]} of commit {(made.commit or '?')[:10]}, trained"
        made.model_copy(update={"note": note}).save(folder.path / MADE)
        proof.save(folder.path / PROOF)
        folder.seal()


def _read_fits(model: Path, metrics: Path, seeds: list[int]) -> dict[int, Fit]:
    """The fits of some seeds, without what only the training knew: learning rates and times."""
    record = TrainRecord.load(metrics / TRAIN)
    device = _one_device(metrics / TRAIN, record)
    scores: dict[int, dict[int, dict[str, Scores]]] = defaultdict(lambda: defaultdict(dict))
    for point in read_table(metrics / CURVES, CurvePoint):
        scores[point.seed][point.epoch][point.part] = Scores(point.loss, point.accuracy, point.macro_f1)
    losses: dict[int, list[float]] = defaultdict(list)
    for row in read_table(model / STEPS, StepLoss):
        losses[row.seed].append(row.loss)
    trained = ModelInfo.load(model / MODEL).experiment.training.seeds
    if len(record.best_epochs) != len(trained):
        raise InputError(f"{metrics / TRAIN} lacks the best epoch of one of its seeds")
    best = dict(zip(trained, record.best_epochs, strict=True))
    fits = {}
    for seed in seeds:
        if best[seed] not in scores[seed] or any("train" not in parts for parts in scores[seed].values()):
            raise InputError(f"{metrics / CURVES} lacks epochs of seed {seed}, or their scores on the training part")
        if not losses[seed]:
            raise InputError(f"{model / STEPS} lacks the steps of seed {seed}")
        epochs = {n: Epoch(n, parts["train"], parts.get("validation")) for n, parts in scores[seed].items()}
        classifier, snapshots = load_classifier(model, seed), load_snapshots(model, seed)
        fits[seed] = Fit(classifier, device, [*epochs.values()], epochs[best[seed]], losses[seed], snapshots)
    return fits


def _one_device(path: Path, record: TrainRecord) -> Device:
    """Raises `InputError` where not all seeds were trained on one, or it is not recorded."""
    if record.threads is None:
        raise InputError(f"{path} is of an earlier version of reprolab, which did not record the number of threads")
    found = (record.device, record.precision, record.threads)
    if any("," in values for values in found) or not record.threads.isdecimal():
        raise InputError(f"{path}: its seeds were trained on several devices: which had which is not known")
    return Device(record.device, record.precision, int(record.threads))
