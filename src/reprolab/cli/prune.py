"""Remove results that params.yaml no longer names, and trainings that nothing uses."""

import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from reprolab.cli.trainings import present_trainings, users_of_trainings
from reprolab.core.config import IMAGENET, RANDOM, Params
from reprolab.core.layout import (
    COMPARISONS,
    CONTRASTS,
    COSTS,
    DATA_FIGURES,
    FIGURES,
    METRICS,
    MODELS,
    STUDIES,
    leftovers,
)

if TYPE_CHECKING:
    from reprolab.training.folder import TrainingFolder

RECENT_SECONDS = 24 * 60 * 60


def run(params: Params) -> None:
    found = left_over(params)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"removed {path}")
    unused = [training for training in unused_trainings(params) if training.remove()]
    if unused:
        from reprolab.tracking.journals import remove_journals

        remove_journals([training.identity for training in unused])
    for training in unused:
        print(f"removed {training.path}")
    if not found and not unused:
        print("nothing to remove")
    else:
        print(f"{len(found) + len(unused)} removed")


def unused_trainings(params: Params) -> "list[TrainingFolder]":
    """Trainings that no result names, in the workspace or in git, and that the present parameters and code would not
    take over or go on with. Those of the last day stay, since an experiment that runs aside may be about to name them.
    """
    from reprolab.training.archive import trainings  # PyTorch takes a second to import

    long_ago = time.time() - RECENT_SECONDS
    candidates = [found for found in trainings() if not found.is_running() and found.path.stat().st_mtime < long_ago]
    if not candidates:
        return []
    present = dict(present_trainings(params))
    used = set(users_of_trainings()).union(*filter(None, present.values()))
    # Of an experiment whose data are not here it cannot be said which trainings are its.
    unsure = {name for name, identities in present.items() if identities is None}
    sure = set(params.experiments) - unsure if unsure else None
    return [
        found
        for found in candidates
        if found.identity not in used and (sure is None or ((about := found.about()) and about.experiment in sure))
    ]


def left_over(params: Params) -> list[Path]:
    """Results of data sets, experiments, comparisons, studies and contrasts that params.yaml lacks."""
    found = leftovers(
        [*params.datasets, *(folder.name for folder in (COMPARISONS, CONTRASTS, COSTS, STUDIES))], METRICS
    )
    for dataset in params.datasets:
        found += leftovers(params.experiments_of(dataset), METRICS / dataset)
    for names, folder in ((params.comparisons, COMPARISONS), (params.studies, STUDIES), (params.contrasts, CONTRASTS)):
        found += _files_of_others(names, folder) + leftovers(names, folder)
    found += _files_of_others(params.experiments, COSTS)
    found += leftovers([*params.experiments, RANDOM, IMAGENET], MODELS)
    found += leftovers([*params.experiments, DATA_FIGURES.name], FIGURES)
    return found + leftovers(params.datasets, DATA_FIGURES)


def _files_of_others(names: Collection[str], folder: Path) -> list[Path]:
    """Files that are not named after one of `names`: `<name>.json`, `<name>-layers.csv`."""
    return sorted(path for path in folder.glob("[!.]*.*") if _owner(path) not in names)


def _owner(path: Path) -> str:
    return path.stem.removesuffix("-layers") if path.suffix == ".csv" else path.stem
