"""`reprolab`: check the parameters, show, measure, verify and prove experiments, explain stages, sync runs, tidy up."""

import argparse

from reprolab.cli import check, measure, prove, prune, remember, results, runs, show, sync, trainings, verify, why
from reprolab.core.config import load_params
from reprolab.core.errors import run_command

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
    "prune": prune,
}


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
        subparser.set_defaults(run=command.run)
    arguments = vars(parser.parse_args())
    arguments.pop("run")(load_params(), **arguments)
