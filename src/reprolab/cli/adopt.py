"""Enter the best point of a study into params.yaml, as an experiment of its own."""

import argparse
import re

from pydantic import TypeAdapter, ValidationError

from reprolab.cli.format import formatted
from reprolab.core.config import RESERVED, Params
from reprolab.core.entry import experiment_yaml
from reprolab.core.errors import InputError, shown
from reprolab.core.files import write_text
from reprolab.core.layout import PARAMS, study_file
from reprolab.core.names import Name

SECTION = re.compile(r"^([a-z]\w*):", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a key of `studies` in params.yaml that has run")
    parser.add_argument("name", help="the new experiment's")


def run(params: Params, study: str, name: str) -> None:
    """With the study's experiment's own seeds. Raises `InputError` for a name that is taken or no name, and where the
    study has not run."""
    from reprolab.studies.outputs import winner_of  # PyTorch takes a second to import
    from reprolab.studies.record import load_rows

    entry, base = params.study(study), params.experiment(params.study(study).of)
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise InputError(f"the name {shown(name)}: {error.errors()[0]['msg']}") from None
    if name in RESERVED:
        raise InputError(f"the name '{name}' has a meaning of its own; choose another")
    if name in params.experiments:
        raise InputError(f"{PARAMS} has an experiment '{name}' already; choose another name")
    winner = winner_of(entry, base, load_rows(study_file(study)))
    text = PARAMS.read_text(encoding="utf-8").rstrip("\n")
    if SECTION.findall(text)[-1] != "experiments":
        raise InputError(f"{PARAMS}: `experiments` is not its last section; move it to the end, where new ones go")
    write_text(PARAMS, formatted(f"{text}\n\n{experiment_yaml(name, winner, defaults=False)}"))
    print(f"{PARAMS}: experiments.{name}; `dvc repro evaluate@{name}` trains and scores it")
