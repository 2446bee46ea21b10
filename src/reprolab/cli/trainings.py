"""List the trainings that are known or were begun, with what uses them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reprolab.core.config import IMAGENET, Experiment, Params
from reprolab.core.errors import InputError
from reprolab.core.git import git
from reprolab.core.layout import METRICS, MODELS, SPLITS, STUDIES, TRAIN
from reprolab.training.record import TrainRecord

if TYPE_CHECKING:
    from reprolab.data.parts import TrainingData
    from reprolab.models.pretrained import PretrainedWeights

IN_METRICS = (f":(glob){METRICS}/*/*/{TRAIN}", f":(glob){STUDIES}/*.csv")
IDENTITY = re.compile(r"\b[0-9a-f]{64}\b")


def run(params: Params) -> None:
    from reprolab.training.archive import trainings  # PyTorch takes a second to import

    found, users = trainings(), users_of_trainings()
    total = 0.0
    for training in found:
        about, made, megabytes = training.about(), training.made(), training.megabytes()
        what = f"{about.experiment}, seed {about.seed}" if about else "?"
        state = "running" if training.is_running() else str(made) if made else "begun"
        used = ", ".join(sorted(users.get(training.identity, []))) or "nothing"
        print(f"{training.identity[:12]}  {what}  {state}  {megabytes:,.1f} MB  used by {used}")
        total += megabytes
    print(f"{len(found)} trainings, {total:,.1f} MB")


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
    for path in STUDIES.glob("*.csv"):
        for identity in IDENTITY.findall(path.read_text(encoding="utf-8", errors="replace")):
            users.setdefault(identity, set()).add("the workspace")
    references = git("for-each-ref", "--format=%(refname)")
    if references is None:
        raise InputError("git cannot say which results name a training: it is not installed, or this is no repository")
    for reference in ["HEAD", *references.split()]:
        grep = ("grep", "--no-color", "-h", "-E", "[0-9a-f]{64}", reference, "--", *IN_METRICS)
        for identity in IDENTITY.findall(git(*grep) or ""):
            users.setdefault(identity, set()).add(reference.removeprefix("refs/").removeprefix("heads/"))
    return users


def present_trainings(params: Params) -> Iterator[tuple[str, set[str] | None]]:
    """By experiment: the identities that it has with the present parameters, code and data; None where the data or the
    weights that it starts from are not here."""
    from reprolab.models.build import resolve_experiments
    from reprolab.training.identity import origins_of

    for name, experiment in resolve_experiments(params).items():
        if experiment.init_from == IMAGENET:  # nothing is downloaded for this
            yield name, None
            continue
        try:
            data, start = load_inputs(experiment)
        except InputError:
            yield name, None
        else:
            yield name, {origin.identity for origin in origins_of(experiment, data, start).values()}


def load_inputs(experiment: Experiment) -> "tuple[TrainingData, PretrainedWeights | None]":
    """The data of a training and the weights that it starts from. Raises `InputError` when they are not here."""
    from reprolab.data.parts import load_training_data
    from reprolab.models.pretrained import load_pretrained

    data = load_training_data(SPLITS / experiment.dataset, experiment.training.data)
    return data, load_pretrained(experiment, MODELS / experiment.init_from)
