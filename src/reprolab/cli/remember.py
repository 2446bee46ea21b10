"""Enter results that DVC restored (`dvc pull`, `dvc checkout`) among the known trainings, so that none trains again."""

import argparse
from contextlib import suppress

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import IMAGENET, Params
from reprolab.core.errors import InputError
from reprolab.core.layout import MODEL, MODELS, TRAIN, metrics_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="*", help="keys of `experiments` in params.yaml; all of them by default")


def run(params: Params, experiment: list[str]) -> None:
    """Those results that are as `dvc.lock` has them. Raises `InputError` for an experiment that params.yaml lacks."""
    for name in experiment:
        params.experiment(name)
    here = [
        name
        for name, settings in params.experiments.items()
        if (not experiment or name in experiment)
        and (MODELS / name / MODEL).exists()
        and (metrics_folder(settings.dataset, name) / TRAIN).exists()
    ]
    if here:
        _remember(params, here)


def _remember(params: Params, names: list[str]) -> None:
    from dvc.dvcfile import PROJECT_FILE, load_file
    from dvc.repo import Repo  # this and PyTorch take a second each to import

    from reprolab.models.build import resolve_experiment
    from reprolab.training.archive import remember
    from reprolab.training.identity import Origin, origins_of

    with Repo() as repo:
        stages = load_file(repo, PROJECT_FILE).stages  # `repo.stage` would read dvc.lock anew for each
        for name in names:
            settings = params.experiment(name)
            if any(out.status() for out in stages[f"train@{name}"].outs):
                continue
            resolved = resolve_experiment(settings, f"experiments.{name}")
            origins: dict[int, Origin] = {}
            if resolved.init_from != IMAGENET:  # nothing is downloaded for this
                with suppress(InputError):  # without its data, what it is made from stays unknown
                    origins = origins_of(resolved, *load_inputs(resolved))
            try:
                new = remember(name, MODELS / name, metrics_folder(settings.dataset, name), origins)
            except InputError as error:
                print(f"{name}: not entered: {error}")
                continue
            for seed in new:
                print(f"{name}, seed {seed}: entered among the known trainings", flush=True)
