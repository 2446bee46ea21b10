"""Remove results that params.yaml no longer names, and the checkpoints of interrupted trainings."""

import shutil
from collections.abc import Collection
from pathlib import Path

from reprolab.core.config import IMAGENET, RANDOM, Params
from reprolab.core.layout import CHECKPOINTS, COMPARISONS, COSTS, FIGURES, METRICS, MODELS, leftovers


def run(params: Params) -> None:
    found = left_over(params) + [folder for folder in [CHECKPOINTS] if folder.exists()]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"removed {path}")
    print(f"{len(found)} removed" if found else "nothing to remove")


def left_over(params: Params) -> list[Path]:
    """Results of data sets, experiments and comparisons that params.yaml lacks."""
    found = leftovers([*params.datasets, COMPARISONS.name, COSTS.name], METRICS)
    for dataset in params.datasets:
        found += leftovers(params.experiments_of(dataset), METRICS / dataset)
    found += _files_of_others(params.comparisons, COMPARISONS) + leftovers(params.comparisons, COMPARISONS)
    found += _files_of_others(params.experiments, COSTS)
    found += leftovers([*params.experiments, RANDOM, IMAGENET], MODELS)
    return found + leftovers(params.experiments, FIGURES)


def _files_of_others(names: Collection[str], folder: Path) -> list[Path]:
    """Files that are not named after one of `names`: `<name>.json`, `<name>-layers.csv`."""
    return sorted(path for path in folder.glob("[!.]*.*") if _owner(path) not in names)


def _owner(path: Path) -> str:
    return path.stem.removesuffix("-layers") if path.suffix == ".csv" else path.stem
