"""Prove that other code gives the same trainings, by their first steps and a miniature of each, and enter those.

Where a training is known but for the code that made it, its first 20 steps and a miniature of it (the same fit on a
hundredth of its batches) run with the present code. If every parameter, score and chosen epoch is the same, bit for
bit, the training is known under the present code too. What acts only late, or only on much data, is not proved.
"""

import argparse
from typing import TYPE_CHECKING

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import Experiment, Params
from reprolab.core.errors import InputError

if TYPE_CHECKING:
    from reprolab.data.parts import TrainingData
    from reprolab.models.pretrained import PretrainedWeights
    from reprolab.training.folder import TrainingFolder
    from reprolab.training.identity import Origin
    from reprolab.training.proof import Proof


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="*", help="keys of `experiments` in params.yaml; all of them by default")


def run(params: Params, experiment: list[str]) -> None:
    """Raises `InputError` when one differs, or one that was asked for cannot be proved."""
    from reprolab.models.build import resolve_experiment  # PyTorch takes a second to import
    from reprolab.training.archive import folder_of
    from reprolab.training.identity import origins_of

    failed = []
    for name in experiment or list(params.experiments):
        settings = resolve_experiment(params.experiment(name), f"experiments.{name}")
        try:
            data, pretrained = load_inputs(settings)
        except InputError as error:
            print(f"{name}: {error}", flush=True)
            failed += [name] if experiment else []
            continue
        for seed, origin in origins_of(settings, data, pretrained).items():
            what = f"{name}, seed {seed}"
            if folder_of(origin.identity).is_done:
                print(f"{what}: known", flush=True)
            elif known := _same_but_code(origin):
                failed += [] if _prove(what, *known, origin, settings, data, pretrained) else [what]
            else:
                print(f"{what}: no training with these parameters and data is known", flush=True)
                failed += [what] if experiment else []
    if failed:
        raise InputError(f"not proved: {', '.join(failed)}")


def _same_but_code(origin: "Origin") -> "tuple[TrainingFolder, Proof] | None":
    """The latest known training that was made from the same, but for the code, and has a proof."""
    from reprolab.training.archive import trainings

    for folder in reversed(trainings()):
        about = folder.about()
        other = about.origin if about else None
        is_same = other and other.model_copy(update={"modules": origin.modules}) == origin
        if is_same and folder.is_done and (proof := folder.proof()):
            return folder, proof
    return None


def _prove(
    what: str,
    known: "TrainingFolder",
    left: "Proof",
    origin: "Origin",
    settings: Experiment,
    data: "TrainingData",
    pretrained: "PretrainedWeights | None",
) -> bool:
    from reprolab.training.archive import adopt
    from reprolab.training.proof import difference, prove

    present = prove(settings, data, pretrained, origin.seed)
    if found := difference(left, present):
        print(f"{what}: {found}, compared with the training {known.identity[:12]}", flush=True)
        return False
    try:
        adopt(known, origin, present)
    except InputError as error:
        print(f"{what}: {error}", flush=True)
        return False
    print(f"{what}: proved to be the training {known.identity[:12]}, {known.made()}", flush=True)
    return True
