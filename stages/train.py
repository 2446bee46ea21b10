"""Fit every seed of one experiment; keep the weights and the curves of every epoch."""

import argparse
from functools import partial
from pathlib import Path

from reprolab.checkpoint import Epoch, checkpoint_path
from reprolab.classifier import ModelInfo, save_model, save_snapshots
from reprolab.config import load_params
from reprolab.data.splits import load_training_data
from reprolab.device import choose_device
from reprolab.errors import run_command
from reprolab.files import atomic_directory, write_csv, write_json
from reprolab.history import curve_rows, step_rows, training_summary
from reprolab.initial import initial_weights
from reprolab.inputs import stage_inputs
from reprolab.models import check_models
from reprolab.progress import report_epoch
from reprolab.tracking import Run, Store, TrainingRun, origin
from reprolab.training import fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a key of `experiments` in params.yaml")
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("initial", type=Path, help="folder to read: the model that `init_from` names")
    parser.add_argument("model", type=Path, help="folder to write: model.json, the weights and every step's loss")
    parser.add_argument("metrics", type=Path, help="folder to write train.json and curves.csv into")
    arguments = parser.parse_args()

    params = load_params()
    name = arguments.experiment
    experiment = params.experiment(name)
    check_models(params)
    data = load_training_data(arguments.split, experiment.training.data)
    device = choose_device() if data.info.holds_images else choose_device().exact()
    initial = initial_weights(experiment, arguments.initial)
    inputs = stage_inputs("train", name)
    info = ModelInfo.of(name, experiment, data.info, inputs.hash)
    checkpoints = {seed: checkpoint_path(name, inputs.short, seed) for seed in experiment.training.seeds}

    store = Store(experiment.dataset)
    store.end_dead_runs()
    run = TrainingRun(store, info)
    fits = {}
    with run.in_progress():
        run.set_tags(origin(inputs) | {"reprolab.device": device.name, "reprolab.precision": device.precision})
        for seed, checkpoint in checkpoints.items():
            with run.of_seed(seed).in_progress() as seed_run:
                on_epoch = partial(_tell, name, seed, seed_run)
                fits[seed] = fit(experiment, data, seed, device, checkpoint, on_epoch, initial)
        summary = training_summary(fits, device)
        run.log_scores(summary, prefix="kept_")

    with atomic_directory(arguments.model) as folder:
        save_model(folder, info, {seed: fitted.classifier for seed, fitted in fits.items()})
        write_csv(folder / "steps.csv", step_rows(fits))
        for seed, fitted in fits.items():
            if fitted.snapshots:
                save_snapshots(folder, seed, fitted.snapshots)
    write_csv(arguments.metrics / "curves.csv", curve_rows(fits))
    write_json(arguments.metrics / "train.json", summary)
    for checkpoint in checkpoints.values():
        checkpoint.unlink(missing_ok=True)


def _tell(name: str, seed: int, run: Run, epoch: Epoch) -> None:
    report_epoch(name, seed, epoch)
    run.log_epoch(epoch)


if __name__ == "__main__":
    run_command(main)
