"""Make MLflow complete from what is on disk: journals, and results that DVC restored or another machine made."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.git import git
from reprolab.core.layout import (
    CURVES,
    MODEL,
    MODELS,
    TEST,
    TRAIN,
    comparison_file,
    contrast_file,
    metrics_folder,
    study_file,
)

if TYPE_CHECKING:
    from reprolab.tracking.content import Run

HOOKS = ("post-checkout", "post-merge")
HOOK_LINE = 'command -v reprolab >/dev/null && (cd "$(git rev-parse --show-toplevel)" && reprolab sync) || true'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only say what MLflow lacks; exit status 1 for something")
    what.add_argument("--install", action="store_true", help="sync after every checkout and merge of git")


def run(params: Params, check: bool, install: bool) -> None:
    """Raises `InputError` where MLflow cannot be written, or lacks something that only was to be checked."""
    from reprolab.tracking.publish import Publisher  # MLflow takes two seconds to import
    from reprolab.tracking.store import Store
    from reprolab.tracking.view import end_dead_runs

    if install:
        _install()
        return
    runs = list(wanted_runs(params))
    store = Store()
    publisher = Publisher(store)
    lacking = [run for run in runs if not publisher.is_complete(run)]
    if check:
        for run in lacking:
            print(f"{run.name}, {run.key['reprolab.identity'][:12]}: not complete in MLflow")
        if lacking:
            raise InputError(f"MLflow lacks {len(lacking)} of {len(runs)} runs: `reprolab sync` adds them")
        print(f"MLflow has all {len(runs)} runs")
        return
    for run in lacking:
        publisher.publish(run)
        print(f"{run.name}, {run.key['reprolab.identity'][:12]}: {run.status.lower()}, now in MLflow", flush=True)
    ended = end_dead_runs(store)
    killed = f"; {ended} runs of processes that are gone ended as killed" if ended else ""
    print(f"MLflow has all {len(runs)} runs{killed}")


def wanted_runs(params: Params) -> "Iterator[Run]":
    """Those of the journals, and of the results in the workspace that lack one."""
    from reprolab.tracking.journals import journals, run_of

    results = {_key(result): result for result in _results(params)}
    for journal in journals():
        try:
            found = run_of(journal)
        except InputError as error:
            print(f"note: {error}")
            continue
        if found and _key(found) not in results:
            yield found
    yield from results.values()


def _key(run: "Run") -> tuple[str, ...]:
    return tuple(run.key.values())


def _results(params: Params) -> "Iterator[Run]":
    """Results that are as `dvc.lock` has them, and whose journals do not tell all."""
    here = [
        (name, settings.dataset)
        for name, settings in params.experiments.items()
        if (MODELS / name / MODEL).exists() and (metrics_folder(settings.dataset, name) / TRAIN).exists()
    ]
    others = [
        *(("compare", name, comparison_file(name)) for name in params.comparisons),
        *(("study", name, study_file(name)) for name in params.studies),
        *(("contrast", name, contrast_file(name)) for name in params.contrasts),
    ]
    others = [found for found in others if found[2].exists()]
    if not here and not others:
        return
    from dvc.dvcfile import PROJECT_FILE, load_file
    from dvc.repo import Repo  # a second to import

    with Repo() as repo:
        stages = load_file(repo, PROJECT_FILE).stages  # `repo.stage` would read dvc.lock anew for each
        for name, dataset in here:
            try:
                yield from _trained(stages, name, dataset)
            except InputError as error:
                print(f"note: {error}")
        for stage, name, path in others:
            try:
                yield from _other(stages, params, stage, name, path)
            except InputError as error:
                print(f"note: {error}")


def _trained(stages: Any, name: str, dataset: str) -> "Iterator[Run]":
    from reprolab.tracking.results import training_result

    metrics = metrics_folder(dataset, name)
    evaluated = (metrics / TEST).exists()
    # What is covered by journals costs no look at DVC.
    if training_result(name, dataset, evaluated) is None or not _is_locked(stages, f"train@{name}"):
        return
    current = evaluated and _is_locked(stages, f"evaluate@{name}", metrics / TRAIN, metrics / CURVES)
    if found := training_result(name, dataset, current):
        yield found


def _other(stages: Any, params: Params, stage: str, name: str, path: Path) -> "Iterator[Run]":
    """Of a comparison, a study or a contrast, which is known by the hash of the file `path`."""
    from reprolab.core.files import file_hash
    from reprolab.reports.comparison import comparison_scores
    from reprolab.reports.contrasts import ContrastRecord, contrast_scores
    from reprolab.reports.record import load_rows
    from reprolab.tracking.recording import journal_of
    from reprolab.tracking.results import comparison_result, study_result

    if journal_of(stage, name, file_hash(path)).path.exists() or not _is_locked(stages, f"{stage}@{name}"):
        return
    match stage:
        case "study":
            yield study_result(name, params.study(name).dataset, path)
        case "contrast":
            dataset = params.study(params.contrast(name).first).dataset
            yield comparison_result(name, dataset, path, contrast_scores(ContrastRecord.load(path)), stage)
        case _:
            yield comparison_result(name, params.comparison(name).dataset, path, comparison_scores(load_rows(path)))


def _is_locked(stages: Any, stage: str, *dependencies: Path) -> bool:
    """Whether a stage's outputs, and those of its dependencies, are what `dvc.lock` says."""
    from dvc.exceptions import DvcException

    try:
        found = stages[stage]
        names = {str(path) for path in dependencies}
        used = [dependency for dependency in found.deps if dependency.def_path in names]
        return not any(item.status() for item in (*found.outs, *used))
    except DvcException:
        return False


def _install() -> None:
    """Add a line to git's hooks, after what DVC or somebody else has there."""
    folder = (git("rev-parse", "--git-path", "hooks") or "").strip()
    if not folder:
        raise InputError("there are no hooks to install: this is no git repository, or git is not installed")
    for name in HOOKS:
        hook = Path(folder) / name
        text = hook.read_text(encoding="utf-8") if hook.exists() else "#!/bin/sh\n"
        if HOOK_LINE in text:
            print(f"{hook}: was there")
            continue
        # DVC's hook ends with an `exec`, after which nothing would run.
        text = text.replace("exec dvc", "dvc")
        hook.parent.mkdir(parents=True, exist_ok=True)
        hook.write_text(f"{text.rstrip()}\n{HOOK_LINE}\n", encoding="utf-8")
        hook.chmod(0o755)
        print(f"{hook}: syncs from now on")
