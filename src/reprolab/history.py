"""The record of a training: tables of every epoch and every step, and its summary."""

from collections.abc import Mapping
from typing import Any

from reprolab.checkpoint import Epoch
from reprolab.device import Device
from reprolab.scores import mean_and_deviation
from reprolab.training import Fit


def curve_rows(fits: Mapping[int, Fit]) -> list[dict[str, Any]]:
    """A row for each seed, epoch and part (train, validation), with its loss, accuracy and macro-F1."""
    return [
        {"seed": seed, "epoch": epoch.number, "part": part} | {name: round(value, 6) for name, value in scores.items()}
        for seed, fit in fits.items()
        for epoch in fit.history
        for part, scores in (("train", epoch.train), ("validation", epoch.validation))
        if scores
    ]


def step_rows(fits: Mapping[int, Fit]) -> list[dict[str, Any]]:
    """A row for each seed and step of the whole training, with the loss of its batch."""
    return [
        {"seed": seed, "step": step, "loss": round(loss, 6)}
        for seed, fit in fits.items()
        for step, loss in enumerate(fit.losses, start=1)
    ]


def training_summary(fits: Mapping[int, Fit], device: Device) -> dict[str, Any]:
    """Scores at the epochs that the weights are from, as means over the seeds; time is that of all seeds."""
    chosen = {seed: fit.chosen for seed, fit in fits.items()}
    epochs = [epoch for fit in fits.values() for epoch in fit.history]
    seconds = sum(epoch.seconds for epoch in epochs)
    return {
        **mean_and_deviation({seed: _scores(epoch) for seed, epoch in chosen.items()}),
        "epochs": [epoch.number for epoch in chosen.values()],
        "seconds": round(seconds, 1),
        "images_per_second": round(sum(epoch.images_per_second * epoch.seconds for epoch in epochs) / seconds),
        "device": device.name,
        "precision": device.precision,
    }


def _scores(epoch: Epoch) -> dict[str, float]:
    parts = {"train": epoch.train, "validation": epoch.validation or {}}
    return {f"{part}_{name}": value for part, scores in parts.items() for name, value in scores.items()}
