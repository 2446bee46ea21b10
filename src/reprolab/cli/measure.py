"""Measure what architectures cost on this machine, trained or not."""

import argparse

from reprolab.core.config import Params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="*", help="keys of `experiments` in params.yaml; all of them by default")


def run(params: Params, experiment: list[str]) -> None:
    """Raises `InputError` when there is no such experiment, or no split of its data set."""
    from reprolab.evaluation.costs import measure  # PyTorch takes a second to import

    measure(params, experiment or list(params.experiments))
