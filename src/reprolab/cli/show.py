"""Print an experiment with all its defaults, ready to paste into params.yaml."""

import argparse

from reprolab.core.config import Params
from reprolab.core.entry import experiment_yaml


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", help="a key of `experiments` in params.yaml")


def run(params: Params, experiment: str) -> None:
    """Raises `InputError` when there is no such experiment, or its options are wrong."""
    from reprolab.models.build import resolve_experiment  # PyTorch takes a second to import

    found = resolve_experiment(params.experiment(experiment), f"experiments.{experiment}")
    print(experiment_yaml(experiment, found), end="")
