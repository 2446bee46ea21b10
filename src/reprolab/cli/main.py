"""`reprolab`: check parameters and machine; show, measure, verify, prove and explain results; keep MLflow; tidy up."""

import argparse
import os
from pathlib import Path

from reprolab.cli import (
    adopt,
    check,
    format,
    measure,
    prove,
    prune,
    remember,
    results,
    runs,
    show,
    sync,
    trainings,
    ui,
    verify,
    why,
)
from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.layout import PARAMS

COMMANDS = {
    "check": check,
    "show": show,
    "measure": measure,
    "why": why,
    "verify": verify,
    "prove": prove,
    "results": results,
    "trainings": trainings,
    "remember": remember,
    "sync": sync,
    "runs": runs,
    "adopt": adopt,
    "prune": prune,
    "format": format,
    "ui": ui,
}
WITHOUT_PARAMS = (check, ui)  # check reads them itself, and says more where they are wrong


def main() -> None:
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="reprolab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").partition("\n")[0]
        subparser = commands.add_parser(name, help=summary, description=summary)
        if add_arguments := getattr(command, "add_arguments", None):
            add_arguments(subparser)
        subparser.set_defaults(command=command)
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    _go_to_the_root()
    given = [] if command in WITHOUT_PARAMS else [load_params()]
    command.run(*given, **arguments)


def _go_to_the_root() -> None:
    """Where the command is called below it, as dvc does."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir() and (folder / PARAMS).is_file():
            os.chdir(folder)
            return
