"""Results for the tests, as records and as the files of an experiment; what a test is about it gives itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reprolab.core.files import write_table
from reprolab.core.layout import CURVES, TEST, TRAIN
from reprolab.evaluation.record import ClassRow, Costs, EvaluationRecord
from reprolab.reports.baselines import Baseline
from reprolab.reports.record import ComparisonRow
from reprolab.training.record import CurvePoint, PartName, TrainRecord

SEVERAL_SEEDS = {"seeds": 3, "accuracy_std": 0.01, "macro_f1_std": 0.02, "loss_std": 0.03}


def make_evaluation(**changes: Any) -> EvaluationRecord:
    """Of one seed on ten images."""
    known = {
        "loss": 0.5,
        "accuracy": 0.8,
        "macro_f1": 0.75,
        "seeds": 1,
        "images": 10,
        "parameters": 61706,
        "trainable_parameters": 61706,
        "device": "cpu",
        "provenance": "official",
    }
    return EvaluationRecord.model_validate(known | changes)


def make_train_record(**changes: Any) -> TrainRecord:
    """Of two seeds, the first of which has an early best epoch."""
    known = {
        "train_loss": 0.4,
        "train_accuracy": 0.85,
        "train_macro_f1": 0.84,
        "validation_loss": 0.6,
        "validation_accuracy": 0.8,
        "validation_macro_f1": 0.78,
        "best_epochs": [1, 2],
        "device": "cpu",
        "precision": "float32",
        "threads": "1",
        "identities": ["a" * 64, "b" * 64],
    }
    return TrainRecord.model_validate(known | changes)


def make_point(seed: int, epoch: int, part: PartName, accuracy: float) -> CurvePoint:
    return CurvePoint(
        seed=seed,
        epoch=epoch,
        part=part,
        loss=round(1 - accuracy, 6),
        accuracy=accuracy,
        macro_f1=round(accuracy - 0.1, 6),
    )


def make_curves(
    parts: Sequence[PartName] = ("train", "validation"), epochs: Sequence[int] = (2, 2)
) -> list[CurvePoint]:
    """Curves of one seed after another, for this many epochs each. After its last epoch a seed's accuracy is 0.9 or 1
    on the training part and 0.7 or 0.8 on the validation part; before it is perfect."""
    last = {"train": (0.9, 1.0), "validation": (0.7, 0.8)}
    return [
        make_point(seed, epoch, part, last[part][seed] if epoch == count else 1.0)
        for seed, count in enumerate(epochs)
        for epoch in range(1, count + 1)
        for part in parts
    ]


def write_results(
    folder: Path,
    test: EvaluationRecord | None = None,
    train: TrainRecord | None = None,
    curves: Sequence[CurvePoint] | None = None,
) -> None:
    """The metrics folder of an experiment that has run."""
    (test or make_evaluation()).save(folder / TEST)
    (train or make_train_record()).save(folder / TRAIN)
    write_table(folder / CURVES, curves or make_curves())


def make_baseline(
    value: float,
    experiment: str = "mlp",
    metric: str = "accuracy",
    dataset: str = "digits",
    epoch: int | None = None,
) -> Baseline:
    return Baseline(
        dataset=dataset,
        experiment=experiment,
        metric=metric,
        epoch=epoch,
        value=value,
        sheet="lab9",
        condition="after 5 epochs",
    )


def make_row(experiment: str = "mlp", **values: Any) -> ComparisonRow:
    """A row of a comparison; without values it is that of an experiment that has not run."""
    empty = {"stand_in": False, "published": [], "learning": []}
    return ComparisonRow.model_validate({"experiment": experiment} | empty | values)


def make_class_row(name: str, images: int, recall: float) -> ClassRow:
    return ClassRow(name=name, images=images, precision=1.0, recall=recall, f1=1.0, accuracy=1.0)


def make_costs(**changes: Any) -> Costs:
    known = {
        "parameters": 61706,
        "flops_per_image": 1234567,
        "weights_mb": 0.247,
        "training_memory_mb": 12.34,
        "batch_size": 64,
        "training_images_per_second": 15000,
        "inference_images_per_second": 54321,
        "device": "cpu",
        "precision": "bfloat16",
        "machine": "x86_64, 2 threads",
        "trainable_parameters": 61706,
        "epoch_seconds": 3.2,
    }
    return Costs.model_validate(known | changes)
