"""What a training leaves so that other code can be proved to give the same: its first steps, and a miniature of itself.

The miniature is the same fit with all its epochs on a hundredth of its batches, but at least two. Equal first steps and
an equal miniature show that initialisation, order, augmentation, losses, gradients, updates, schedule, scores and the
choice of the epoch are the same. They cannot show what only happens late, or only with much data.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from reprolab.core.config import Experiment
from reprolab.core.files import Record
from reprolab.data.parts import Part, TrainingData
from reprolab.models.build import FitsItself
from reprolab.models.classifier import Classifier
from reprolab.models.pretrained import PretrainedWeights
from reprolab.training.device import Device, processor
from reprolab.training.meter import DivergenceError
from reprolab.training.record import Epoch, Start
from reprolab.training.run import fit, prepare

STEPS = (0, 1, 2, 5, 10, 20)  # 0 is the start
SHARE, AT_LEAST = 100, 2  # of the batches, in a miniature

Hashes = dict[str, str]  # of each parameter and buffer


class Step(Record):
    number: int
    weights: Hashes


class Miniature(Record):
    """`diverged` holds the message of a miniature that did."""

    epochs: list[Epoch]
    best: int | None = None
    weights: Hashes
    diverged: str | None = None


class Proof(Record):
    """`proof.json`. No steps where a library fits the network."""

    keeps_none: ClassVar[bool] = True

    processor: str
    device: Device
    steps: list[Step]
    miniature: Miniature


def prove(experiment: Experiment, data: TrainingData, pretrained: PretrainedWeights | None, seed: int) -> Proof:
    """With the present code. Costs about a hundredth of the training, and seconds of a small one."""
    start = prepare(experiment, data, pretrained, seed)
    small = TrainingData(
        data.info,
        _some(data.train, experiment.training.batch_size),
        _some(data.validation, experiment.training.batch_size) if data.validation else None,
    )
    return Proof(
        processor=processor(start.device.name),
        device=start.device,
        steps=[] if isinstance(start.classifier.network, FitsItself) else _first_steps(start),
        miniature=_miniature(prepare(experiment, small, pretrained, seed)),
    )


def difference(known: Proof, present: Proof) -> str | None:
    """The first step, parameter or epoch that differs, None where all is the same."""
    return next(_differences(known, present), None)


def _differences(known: Proof, present: Proof) -> Iterator[str]:
    if (known.processor, known.device) != (present.processor, present.device):
        yield (
            f"not comparable, since it was trained on {known.processor}, {known.device}, and this is "
            f"{present.processor}, {present.device}"
        )
    if [step.number for step in known.steps] != [step.number for step in present.steps]:
        yield f"{len(known.steps)} of the first steps were recorded, and now there are {len(present.steps)}"
    for old, new in zip(known.steps, present.steps, strict=False):
        if old != new:
            where = f"after step {new.number}" if new.number else "at the start"
            yield f"{where}, {_differing(old.weights, new.weights)} differs"
    before, now = known.miniature, present.miniature
    for epoch, again in zip(before.epochs, now.epochs, strict=False):
        if _without_clock(epoch) != _without_clock(again):
            yield f"in its miniature, the scores or the learning rate of epoch {again.number} differ"
    if before.weights != now.weights:
        yield f"at the end of its miniature, {_differing(before.weights, now.weights)} differs"
    if (before.best, before.diverged, len(before.epochs)) != (now.best, now.diverged, len(now.epochs)):
        yield "its miniature chooses or reaches another epoch"


class _Enough(Exception):
    pass


def _first_steps(start: Start) -> list[Step]:
    classifier = start.classifier
    found: list[Step] = []
    taken = 0

    def before(*_: Any) -> None:
        if not found:
            found.append(Step(number=0, weights=_hashes(classifier)))

    def after(*_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken in STEPS:
            found.append(Step(number=taken, weights=_hashes(classifier)))
        if taken == STEPS[-1]:
            raise _Enough

    hooks = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]
    try:
        fit(start)
    except (_Enough, DivergenceError):
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _miniature(start: Start) -> Miniature:
    epochs: list[Epoch] = []
    try:
        result = fit(start, None, epochs.append)
    except DivergenceError as error:
        return Miniature(epochs=epochs, weights={}, diverged=str(error))
    return Miniature(epochs=epochs, best=result.best.number, weights=_hashes(result.classifier))


def _some(part: Part, batch_size: int) -> Part:
    """Examples from all over the part, for a hundredth of its batches, but at least two."""
    batches = max(AT_LEAST, round(len(part) / batch_size / SHARE))
    chosen = np.zeros(len(part), bool)
    chosen[np.linspace(0, len(part) - 1, min(batches * batch_size, len(part))).astype(int)] = True
    return part[chosen]


def _hashes(classifier: Classifier) -> Hashes:
    return {
        name: hashlib.sha256(value.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, value in classifier.state_dict().items()
    }


def _differing(old: Hashes, new: Hashes) -> str:
    return next(name for name in [*new, *old] if old.get(name) != new.get(name))


def _without_clock(epoch: Epoch) -> tuple[Any, ...]:
    return epoch.number, epoch.train, epoch.validation, epoch.learning_rate
