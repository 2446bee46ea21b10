"""The files of a training: the model's folder, and its metrics."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from reprolab.core.files import atomic_directory, write_table
from reprolab.core.integrity import write_hashes
from reprolab.core.layout import CURVES, HASHES, MODEL, STEPS, TRAIN
from reprolab.models.folder import ModelInfo, save_snapshots, save_weights
from reprolab.training.record import (
    CurvePoint,
    Epoch,
    Fit,
    PartName,
    Scores,
    StepLoss,
    TrainRecord,
    mean_and_deviation,
)


def save_model(folder: Path, info: ModelInfo, fits: Mapping[int, Fit]) -> None:
    """Write a model's folder: what it is, the weights of each seed, the loss of every step, and each file's hash."""
    with atomic_directory(folder) as partial:
        info.save(partial / MODEL)
        for seed, fit in fits.items():
            save_weights(partial, seed, fit.classifier.state_dict())
            if fit.snapshots:
                save_snapshots(partial, seed, fit.snapshots)
        steps = [
            StepLoss(seed=seed, step=step, loss=loss)
            for seed, fit in fits.items()
            for step, loss in enumerate(fit.losses, start=1)
        ]
        write_table(partial / STEPS, steps)
        write_hashes(partial / HASHES, sorted(partial.iterdir()))


def save_metrics(folder: Path, fits: Mapping[int, Fit], record: TrainRecord) -> None:
    write_table(folder / CURVES, curve_points(fits))
    record.save(folder / TRAIN)


def train_record(fits: Mapping[int, Fit], identities: Mapping[int, str]) -> TrainRecord:
    # Some seeds may be known from elsewhere.
    devices = [fit.device for fit in fits.values()]
    return TrainRecord(
        **mean_and_deviation({seed: _flat(fit.best) for seed, fit in fits.items()}),
        best_epochs=[fit.best.number for fit in fits.values()],
        device=_different(device.name for device in devices),
        precision=_different(device.precision for device in devices),
        threads=_different(str(device.threads) for device in devices),
        identities=[identities[seed] for seed in fits],
    )


def curve_points(fits: Mapping[int, Fit]) -> list[CurvePoint]:
    return [
        CurvePoint(seed=seed, epoch=epoch.number, part=part, **vars(scores))
        for seed, fit in fits.items()
        for epoch in fit.epochs
        for part, scores in _parts(epoch).items()
    ]


def print_epoch(name: str, seed: int, epoch: Epoch) -> None:
    """Print a line for an epoch that has ended."""
    validation = f", validation accuracy {epoch.validation.accuracy:.4f}" if epoch.validation else ""
    pace = f" ({epoch.images_per_second:,.0f} images/s)" if epoch.images_per_second else ""
    print(
        f"{name}, seed {seed}, epoch {epoch.number}: loss {epoch.train.loss:.4f}, "
        f"accuracy {epoch.train.accuracy:.4f}{validation}{pace}",
        flush=True,
    )


def _different(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _parts(epoch: Epoch) -> dict[PartName, Scores]:
    parts: dict[PartName, Scores | None] = {"train": epoch.train, "validation": epoch.validation}
    return {part: scores for part, scores in parts.items() if scores}


def _flat(epoch: Epoch) -> dict[str, float]:
    return {f"{part}_{name}": value for part, scores in _parts(epoch).items() for name, value in vars(scores).items()}
