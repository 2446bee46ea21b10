"""List the runs with their state, commit and where their results lie; lead from a file to the run that made it."""

import argparse
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reprolab.cli.sync import wanted_runs
from reprolab.cli.trainings import users_of_trainings
from reprolab.core.config import Params
from reprolab.core.errors import InputError, choice
from reprolab.core.files import file_hash
from reprolab.core.layout import (
    COMPARISONS,
    CONTRASTS,
    FIGURES,
    METRICS,
    MODELS,
    STUDIES,
    TRAIN,
    comparison_file,
    contrast_file,
    metrics_folder,
    study_file,
)

if TYPE_CHECKING:
    from reprolab.tracking.content import Run

WORKSPACE, EXPERIMENT_REF = "the workspace", "exps/"
SHORT = 12
NO_PLACES = ("exps/exec/", "stash")  # of DVC and git themselves
WORDS = {"compare": "comparison", "study": "study", "contrast": "contrast"}
# The file that a result is identified by.
FILES = {"compare": comparison_file, "study": study_file, "contrast": contrast_file}
RESULTS = {COMPARISONS: FILES["compare"], STUDIES: FILES["study"], CONTRASTS: FILES["contrast"]}
SHOWN = {"commit": "mlflow.source.git.commit", "machine": "reprolab.machine", "error": "reprolab.error"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("identity", nargs="?", help="beginning of an identity: all that is known of that run")
    parser.add_argument("--of", type=Path, metavar="PATH", help="a file of a result: the run that made it")


def run(params: Params, identity: str | None, of: Path | None) -> None:
    """Raises `InputError` for a run or a file that is not known."""
    runs = sorted(wanted_runs(params), key=lambda found: found.started or 0.0)
    if of:
        _tell(params, _made(runs, params, of))
    elif identity:
        found = [one for one in runs if _identity(one).startswith(identity)]
        if not found:
            raise InputError(choice("no run", identity, [_identity(one)[:SHORT] for one in runs]))
        for one in found:
            _tell(params, one)
    else:
        users = _users()
        for one in runs:
            commit = one.tags.get(SHOWN["commit"], "?")[:10]
            where = ", ".join(_places(one, users)) or "no result here or in git"
            print(f"{_identity(one)[:SHORT]}  {_title(one)}  {one.status}  commit {commit}  {where}")
        print(f"{len(runs)} runs")


def _tell(params: Params, run: "Run") -> None:
    print(f"{_title(run)}: {run.status}")
    print(f"  identity  {_identity(run)}")
    for what, tag in SHOWN.items():
        if tag in run.tags:
            print(f"  {what:8}  {run.tags[tag]}")
    if run.started:
        print(f"  started   {datetime.fromtimestamp(run.started):%Y-%m-%d %H:%M:%S}")
    print(f"  result    {', '.join(_places(run, _users())) or 'neither here nor in git'}")
    print(f"  back by   {_way_back(params, run)}")
    print(f"  MLflow    {_in_mlflow(run)}")


def _in_mlflow(run: "Run") -> str:
    from reprolab.tracking.publish import Publisher
    from reprolab.tracking.store import Store, StoreError

    try:
        number = Publisher(Store()).number(run)
    except StoreError as error:
        return str(error)
    return f"run {number} of the experiment {run.experiment}" if number else "not there: `reprolab sync` adds it"


def _made(runs: "list[Run]", params: Params, path: Path) -> "Run":
    """The run that made a file of the workspace."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    try:
        parts = path.resolve().relative_to(Path.cwd()).parts
    except ValueError:
        raise InputError(f"{path} lies outside the repository") from None
    if len(parts) > 2 and (found_file := RESULTS.get(Path(*parts[:2]))):
        name = Path(parts[2]).stem
        wanted = file_hash(found_file(name))
    else:
        name, wanted = _training(params, parts, path)
    for found in runs:
        if found.key["reprolab.experiment"] == name and _identity(found) == wanted:
            return found
    raise InputError(
        f"{path} is of {name}, {wanted[:SHORT]}, of which no run is known: it is not what `dvc.lock` names"
    )


def _training(params: Params, parts: tuple[str, ...], path: Path) -> tuple[str, str]:
    from reprolab.tracking.lineage import training_identity
    from reprolab.training.record import TrainRecord

    name = next(
        (
            parts[len(root.parts) + skip]
            for root, skip in ((METRICS, 1), (MODELS, 0), (FIGURES, 0))
            if parts[: len(root.parts)] == root.parts and len(parts) > len(root.parts) + skip
        ),
        None,
    )
    if name not in params.experiments:
        raise InputError(f"{path} is no result: those lie in {METRICS}, {MODELS} and {FIGURES}")
    record = TrainRecord.load(metrics_folder(params.experiments[name].dataset, name) / TRAIN)
    return name, training_identity(dict(enumerate(record.identities or [])))


def _users() -> dict[str, set[str]]:
    try:
        return users_of_trainings()
    except InputError:
        return {}


def _places(run: "Run", users: dict[str, set[str]]) -> list[str]:
    """What has the result: the workspace, branches, tags, experiments of DVC."""
    stage = run.key["reprolab.stage"]
    if stage != "train":
        rows = FILES[stage](run.key["reprolab.experiment"])
        return [WORKSPACE] if rows.exists() and file_hash(rows) == _identity(run) else []
    found = set.intersection(*(users.get(identity, set()) for identity in run.trainings))
    return sorted(place for place in found if place != "HEAD" and not place.startswith(NO_PLACES))


def _way_back(params: Params, run: "Run") -> str:
    """The command that brings the result into the workspace."""
    name, places = run.key["reprolab.experiment"], _places(run, _users())
    if WORKSPACE in places:
        return "nothing to do: it is in the workspace"
    stage = run.key["reprolab.stage"]
    if stage != "train":
        return f"git checkout {run.tags.get(SHOWN['commit'], '<commit>')[:10]} && dvc repro {stage}@{name}"
    for place in places:
        if place.startswith(EXPERIMENT_REF):
            return f"dvc exp apply {place.rpartition('/')[2]}"
    if places:
        return f"git checkout {places[0]} && dvc checkout"
    if name not in params.experiments:
        return f"the experiment {name} in params.yaml again, then `dvc repro evaluate@{name}`"
    return " ".join(["dvc exp run", *_changes(params, run, name), f"evaluate@{name}"])


def _changes(params: Params, run: "Run", name: str) -> list[str]:
    """The options that set an experiment to what it was in the run."""
    from reprolab.models.build import resolve_experiment
    from reprolab.tracking.lineage import flat

    present = flat(resolve_experiment(params.experiment(name), f"experiments.{name}").model_dump(mode="json"))
    former = {key: value for key, value in run.parameters.items() if key in present and str(present[key]) != value}
    return [
        f"-S {shlex.quote(f'experiments.{name}.{key}={value}'.replace(', ', ','))}" for key, value in former.items()
    ]


def _title(run: "Run") -> str:
    stage = run.key["reprolab.stage"]
    return run.name if stage == "train" else f"{WORDS[stage]} {run.name}"


def _identity(run: "Run") -> str:
    return run.key["reprolab.identity"]
