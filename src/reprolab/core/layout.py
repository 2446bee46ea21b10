"""Where files lie, from the repository's root. `dvc.yaml` writes the same paths, and a test compares the two."""

from collections.abc import Collection
from pathlib import Path

PARAMS = Path("params.yaml")
BASELINES = Path("data/baselines.csv")
RAW, SPLITS, MODELS = Path("data/raw"), Path("data/splits"), Path("models")
METRICS, FIGURES = Path("metrics"), Path("figures")
DATA_FIGURES = FIGURES / "data"  # so no experiment may bear this name
# So no data set may bear these names.
COMPARISONS, COSTS = METRICS / "comparison", METRICS / "costs"
STUDIES, CONTRASTS = METRICS / "study", METRICS / "contrast"
DVC_COPIES = Path(".dvc/tmp/exps")
TRAININGS, JOURNALS, VIEWS = Path(".reprolab/trainings"), Path(".reprolab/runs"), Path(".reprolab/views")
MLFLOW_DATABASE = Path("mlflow.db")

SPLIT = "split.json"  # of a data set, in `data/splits/<dataset>`
# Of an experiment, in `metrics/<dataset>/<experiment>`.
TRAIN, CURVES, TEST, CLASSES, CONFUSION = "train.json", "curves.csv", "test.json", "classes.csv", "confusion.csv"
# Of a seed's training, in `.reprolab/trainings/<identity>`.
TRAINING_JOURNAL, TRAINING_DONE = "journal.jsonl", "done.json"
TRAINING_RESULT, TRAINING_WEIGHTS = "result.json", "weights.safetensors"
# Of an experiment, in `models/<experiment>`.
MODEL, STEPS, HASHES = "model.json", "steps.csv", "sha256.json"


def repository_root() -> Path:
    """The root of the repository, also while DVC runs an experiment in a temporary copy of it.

    `DVC_ROOT` would say so too, but where it is set already, by DVC around a notebook say, DVC leaves it as it is.
    """
    here = Path.cwd()
    return next((parent for parent in here.parents if here.is_relative_to(parent / DVC_COPIES)), here)


def metrics_folder(dataset: str, experiment: str) -> Path:
    return METRICS / dataset / experiment


def data_figures_folder(dataset: str) -> Path:
    return DATA_FIGURES / dataset


def comparison_file(name: str) -> Path:
    """The rows of a comparison. Its table has the ending .md, and its figures are in a folder without ending."""
    return COMPARISONS / f"{name}.json"


def study_file(name: str) -> Path:
    """A study's table of trials. Its summary has the ending .json, its page .md, and its figures are in a folder."""
    return STUDIES / f"{name}.csv"


def contrast_file(name: str) -> Path:
    """What two studies show together. Its page has the ending .md, and its figure is in a folder without ending."""
    return CONTRASTS / f"{name}.json"


def costs_file(experiment: str) -> Path:
    return COSTS / f"{experiment}.json"


def layers_file(experiment: str) -> Path:
    return COSTS / f"{experiment}-layers.csv"


def training_folder(identity: str) -> Path:
    """Outside the stage's outputs, which DVC removes before it runs a stage again."""
    return repository_root() / TRAININGS / identity


def has_run(metrics: Path) -> bool:
    """Whether an experiment's results are all in its metrics folder.

    DVC removes what a stage writes before it runs the stage. So a training that failed or still runs leaves the test
    scores of the former one, which are no result any more.
    """
    return all((metrics / name).exists() for name in (TRAIN, CURVES, TEST))


def leftovers(names: Collection[str], folder: Path) -> list[Path]:
    """Folders of results in `folder` that are named after none of `names`, which `params.yaml` has."""
    return sorted(path for path in folder.glob("*/") if path.name not in names)
