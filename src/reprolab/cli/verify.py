"""Train and evaluate experiments again, beside their results and not into them, and say what differs.

With --committed nothing is trained: the results that are here are compared with those of git's last commit.
"""

import argparse
import tempfile
from pathlib import Path

import yaml

from reprolab.cli.trainings import load_inputs
from reprolab.core.config import Experiment, Params
from reprolab.core.errors import InputError
from reprolab.core.files import file_hash, parse_json
from reprolab.core.git import git
from reprolab.core.layout import (
    CLASSES,
    CONFUSION,
    CURVES,
    FIGURES,
    MODEL,
    MODELS,
    SPLITS,
    TEST,
    TRAIN,
    has_run,
    metrics_folder,
)
from reprolab.evaluation.record import EvaluationRecord
from reprolab.reports.comparison import wilson_interval
from reprolab.training.record import TrainRecord

DEVIATIONS = 2  # of the seeds, within which two means agree
LOCK = Path("dvc.lock")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", nargs="*", help="keys of `experiments`; all that have run here by default")
    parser.add_argument("--committed", action="store_true", help="compare with the last commit instead of training")


def run(params: Params, experiment: list[str], committed: bool) -> None:
    """Raises `InputError` when scores differ by more than seeds and test images explain, or results are not here."""
    names = experiment or [name for name, found in params.experiments.items() if _is_here(name, found.dataset)]
    disagreeing = []
    for name in names:
        settings = params.experiment(name)
        if not _is_here(name, settings.dataset):
            raise InputError(f"{name} has no results here to compare with: run `dvc repro evaluate@{name}`")
        agrees = _against_commit(name, settings) if committed else _against_another(name, settings)
        disagreeing += [] if agrees else [name]
    if disagreeing:
        raise InputError(f"not reproduced: {', '.join(disagreeing)}")


def _is_here(name: str, dataset: str) -> bool:
    return has_run(metrics_folder(dataset, name)) and (MODELS / name / MODEL).exists()


def _against_another(name: str, experiment: Experiment) -> bool:
    """Whether the experiment, trained and evaluated again, agrees with its result."""
    from reprolab.models.build import resolve_experiment  # PyTorch takes a second to import

    experiment = resolve_experiment(experiment, f"experiments.{name}")
    with tempfile.TemporaryDirectory() as folder:
        found = _produce(name, experiment, Path(folder))
        metrics = metrics_folder(experiment.dataset, name)
        differing = _differing_files(
            [
                *((path, MODELS / name / path.name) for path in sorted((Path(folder) / "model").iterdir())),
                *((path, metrics / path.name) for path in sorted((Path(folder) / "metrics").iterdir())),
                *((path, FIGURES / name / path.name) for path in sorted((Path(folder) / "figures").iterdir())),
            ]
        )
        return _report(name, differing, EvaluationRecord.load(metrics / TEST), found)


def _produce(name: str, experiment: Experiment, folder: Path) -> EvaluationRecord:
    """Write into `folder` what `train` and `evaluate` write: into `model`, `metrics` and `figures`.

    Raises `InputError` when the results are of other parameters, data or code than the present ones.
    """
    from reprolab.data.parts import load_part
    from reprolab.evaluation.evaluate import evaluate
    from reprolab.evaluation.outputs import save_evaluation
    from reprolab.models.folder import ModelInfo
    from reprolab.training.identity import origins_of
    from reprolab.training.outputs import save_metrics, save_model, train_record
    from reprolab.training.run import train

    data, pretrained = load_inputs(experiment)
    seeds = experiment.training.seeds
    identities = {seed: origin.identity for seed, origin in origins_of(experiment, data, pretrained).items()}
    if TrainRecord.load_identities(metrics_folder(experiment.dataset, name) / TRAIN, seeds) != identities:
        raise InputError(f"the results of {name} are of another training than the present one: run `dvc repro` first")
    fits = {seed: train(experiment, data, pretrained, seed) for seed in seeds}
    model, metrics = folder / "model", folder / "metrics"
    save_model(model, ModelInfo(name=name, experiment=experiment, split=data.info), fits)
    save_metrics(metrics, fits, train_record(fits, identities))
    test = load_part(SPLITS / experiment.dataset, "test")
    evaluation = evaluate(model, test)
    save_evaluation(name, evaluation, model, test, metrics, folder / "figures")
    return evaluation.record()


def _against_commit(name: str, experiment: Experiment) -> bool:
    """Whether the result that is here agrees with the one of the last commit; True where that is another training's."""
    metrics = metrics_folder(experiment.dataset, name)
    train, test = _committed(metrics / TRAIN), _committed(metrics / TEST)
    if train is None or test is None:
        print(f"{name}: the last commit has no result of it")
        return True
    if parse_json(train, TrainRecord, metrics / TRAIN).identities != TrainRecord.load(metrics / TRAIN).identities:
        print(f"{name}: not compared with the last commit, whose result is of other parameters, data or code")
        return True
    files = [metrics / file for file in (TRAIN, CURVES, TEST, CLASSES, CONFUSION)]
    differing = [path.name for path in files if _committed(path) != path.read_text(encoding="utf-8")]
    locked, here = _outputs(_committed(LOCK) or ""), _outputs(LOCK.read_text(encoding="utf-8"))
    differing += [
        str(folder) for folder in (MODELS / name, FIGURES / name) if locked.get(str(folder)) != here.get(str(folder))
    ]
    expected = parse_json(test, EvaluationRecord, metrics / TEST)
    return _report(name, differing, expected, EvaluationRecord.load(metrics / TEST))


def _committed(path: Path) -> str | None:
    return git("show", f"HEAD:./{path}")


def _outputs(lock: str) -> dict[str, str]:
    """The hash of each output in a `dvc.lock`, by its path."""
    stages = (yaml.load(lock, yaml.CSafeLoader) or {}).get("stages", {})
    return {out["path"]: str(out["md5"]) for stage in stages.values() for out in stage.get("outs", [])}


def _differing_files(pairs: list[tuple[Path, Path]]) -> list[str]:
    return [new.name for new, old in pairs if not old.exists() or file_hash(new) != file_hash(old)]


def _report(name: str, differing: list[str], expected: EvaluationRecord, found: EvaluationRecord) -> bool:
    """Print what differs; return whether the scores agree."""
    if not differing:
        print(f"{name}: identical", flush=True)
        return True
    low, high = wilson_interval(expected.accuracy, expected.images)
    spread = DEVIATIONS * (expected.accuracy_std or 0)
    agrees = low - spread <= found.accuracy <= high + spread
    print(
        f"{name}: other {', '.join(differing)}; test accuracy {found.accuracy:.4f}, expected {expected.accuracy:.4f}, "
        f"{'within' if agrees else 'beyond'} the spread of seeds and test images",
        flush=True,
    )
    return agrees
