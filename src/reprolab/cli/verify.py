"""Train and evaluate experiments again, beside their results and not into them, and say what differs."""

import argparse
import tempfile
from pathlib import Path

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import Experiment, Params
from reprolab.core.errors import InputError
from reprolab.core.files import file_hash, write_table
from reprolab.core.layout import CLASSES, CONFUSION, CURVES, MODEL, MODELS, SPLITS, TEST, has_run, metrics_folder
from reprolab.evaluation.record import EvaluationRecord
from reprolab.reports.comparison import wilson_interval

DEVIATIONS = 2  # of the seeds, within which two means agree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="*", help="keys of `experiments`; all that have run here by default")


def run(params: Params, experiment: list[str]) -> None:
    """Raises `InputError` when scores differ by more than seeds and test images explain, or results are not here."""
    from reprolab.models.build import resolve_experiment  # PyTorch takes a second to import

    names = experiment or [name for name, found in params.experiments.items() if _is_here(name, found.dataset)]
    disagreeing = []
    for name in names:
        settings = resolve_experiment(params.experiment(name), f"experiments.{name}")
        if not _is_here(name, settings.dataset):
            raise InputError(f"{name} has no results here to compare with: run `dvc repro evaluate@{name}`")
        with tempfile.TemporaryDirectory() as folder:
            found = _produce(name, settings, Path(folder))
            expected = EvaluationRecord.load(metrics_folder(settings.dataset, name) / TEST)
            differing = _differing_files(Path(folder), name, settings.dataset)
        if not differing:
            print(f"{name}: identical", flush=True)
            continue
        agrees = _agree(expected, found)
        spread = "within" if agrees else "beyond"
        accuracy = f"test accuracy {found.accuracy:.4f}, expected {expected.accuracy:.4f}"
        print(
            f"{name}: other {', '.join(differing)}; {accuracy}, {spread} the spread of seeds and test images",
            flush=True,
        )
        disagreeing += [] if agrees else [name]
    if disagreeing:
        raise InputError(f"not reproduced: {', '.join(disagreeing)}")


def _is_here(name: str, dataset: str) -> bool:
    return has_run(metrics_folder(dataset, name)) and (MODELS / name / MODEL).exists()


def _produce(name: str, experiment: Experiment, folder: Path) -> EvaluationRecord:
    """Write into `folder` what `train` and `evaluate` write of numbers: into `model` and `metrics`.

    Raises `InputError` when the results are of other parameters, data or code than the present ones.
    """
    from reprolab.data.parts import load_part
    from reprolab.evaluation.evaluate import evaluate
    from reprolab.models.folder import ModelInfo
    from reprolab.training.device import choose_device
    from reprolab.training.identity import identities_of
    from reprolab.training.outputs import load_identities, save_metrics, save_model, train_record
    from reprolab.training.run import train

    data, start = load_inputs(experiment)
    identities = identities_of(experiment, data, start).seeds
    if load_identities(metrics_folder(experiment.dataset, name), experiment.training.seeds) != identities:
        raise InputError(f"the results of {name} are of another training than the present one: run `dvc repro` first")
    fits = {seed: train(experiment, data, start, seed) for seed in experiment.training.seeds}
    save_model(folder / "model", ModelInfo(name=name, experiment=experiment, split=data.info), fits)
    save_metrics(folder / "metrics", fits, train_record(fits, identities))
    evaluation = evaluate(folder / "model", load_part(SPLITS / experiment.dataset, "test"), choose_device(data.info))
    write_table(folder / "metrics" / CONFUSION, evaluation.confusion_rows())
    write_table(folder / "metrics" / CLASSES, evaluation.class_rows())
    return evaluation.record()


def _differing_files(folder: Path, name: str, dataset: str) -> list[str]:
    """Names of the files that are not those of the results; those with times in them are left out."""
    metrics = metrics_folder(dataset, name)
    pairs = {path.name: (path, MODELS / name / path.name) for path in sorted((folder / "model").iterdir())}
    pairs |= {file: (folder / "metrics" / file, metrics / file) for file in (CURVES, CONFUSION, CLASSES)}
    return [file for file, (new, old) in pairs.items() if not old.exists() or file_hash(new) != file_hash(old)]


def _agree(expected: EvaluationRecord, found: EvaluationRecord) -> bool:
    low, high = wilson_interval(expected.accuracy, expected.images)
    spread = DEVIATIONS * (expected.accuracy_std or 0)
    return low - spread <= found.accuracy <= high + spread
