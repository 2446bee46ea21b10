"""List the trainings that are known or were begun, with what uses them."""

import re
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reprolab.core.config import IMAGENET, Experiment, Params
from reprolab.core.errors import InputError
from reprolab.core.layout import METRICS, MODELS, SPLITS, TRAIN
from reprolab.training.record import TrainRecord

if TYPE_CHECKING:
    from reprolab.data.parts import TrainingData
    from reprolab.models.pretrained import PretrainedWeights

IN_METRICS = f":(glob){METRICS}/*/*/{TRAIN}"
IDENTITY = re.compile(r'"([0-9a-f]{64})"')


def run(params: Params) -> None:
    from reprolab.training.archive import trainings  # PyTorch takes a second to import

    found, users = trainings(), users_of_trainings()
    for training in found:
        what = f"{training.about.experiment}, seed {training.about.seed}" if training.about else "?"
        state = "running" if training.is_running else f"done {training.made.finished}" if training.made else "begun"
        used = ", ".join(sorted(users.get(training.identity, []))) or "nothing"
        print(f"{training.identity[:12]}  {what}  {state}  {training.megabytes:,.1f} MB  used by {used}")
    print(f"{len(found)} trainings, {sum(training.megabytes for training in found):,.1f} MB")


def users_of_trainings() -> dict[str, set[str]]:
    """By identity: the workspace, and the branches, tags and experiments of DVC whose results name it."""
    users: dict[str, set[str]] = {}
    for path in METRICS.glob(f"*/*/{TRAIN}"):
        try:
            identities = TrainRecord.load(path).identities or []
        except InputError:
            continue
        for identity in identities:
            users.setdefault(identity, set()).add("the workspace")
    for reference in ["HEAD", *_git("for-each-ref", "--format=%(refname)").split()]:
        grep = ("grep", "--no-color", "-h", "-E", "[0-9a-f]{64}", reference, "--", IN_METRICS)
        for identity in IDENTITY.findall(_git(*grep, may_fail=True)):
            users.setdefault(identity, set()).add(reference.removeprefix("refs/").removeprefix("heads/"))
    return users


def present_trainings(params: Params) -> Iterator[tuple[str, set[str] | None]]:
    """By experiment: the identities that it has with the present parameters, code and data; None where the data or the
    weights that it starts from are not here."""
    from reprolab.models.build import resolve_experiments
    from reprolab.training.identity import identities_of

    for name, experiment in resolve_experiments(params).items():
        if experiment.init_from == IMAGENET:  # nothing is downloaded for this
            yield name, None
            continue
        try:
            data, start = load_inputs(experiment)
        except InputError:
            yield name, None
        else:
            yield name, set(identities_of(experiment, data, start).seeds.values())


def load_inputs(experiment: Experiment) -> "tuple[TrainingData, PretrainedWeights | None]":
    """The data of a training and the weights that it starts from. Raises `InputError` when they are not here."""
    from reprolab.data.parts import load_training_data
    from reprolab.models.pretrained import load_pretrained

    data = load_training_data(SPLITS / experiment.dataset, experiment.training.data)
    return data, load_pretrained(experiment, MODELS / experiment.init_from)


def _git(*arguments: str, may_fail: bool = False) -> str:
    """Raises `InputError` where git does not work, since then it cannot be said what uses a training."""
    try:
        found = subprocess.run(["git", "--no-pager", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InputError("git is not installed: without it nobody knows what uses a training") from None
    if found.returncode and not may_fail:
        raise InputError(f"git {arguments[0]}: {found.stderr.strip()}")
    return found.stdout
