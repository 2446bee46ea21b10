"""Train every seed of one experiment; write the weights, and the scores of every epoch."""

import argparse
from functools import partial
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.integrity import verify_model
from reprolab.data.parts import load_training_data
from reprolab.data.split import verify_split
from reprolab.models.build import resolve_experiments
from reprolab.models.folder import ModelInfo
from reprolab.models.pretrained import load_pretrained
from reprolab.tracking.recording import TrainingJournal
from reprolab.training.archive import train_once
from reprolab.training.identity import origins_of
from reprolab.training.outputs import print_epoch, save_metrics, save_model, train_record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a key of `experiments` in params.yaml")
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("pretrained", type=Path, help="folder to read: the model that `init_from` names")
    parser.add_argument("model", type=Path, help="folder to write: model.json, the weights and every step's loss")
    parser.add_argument("metrics", type=Path, help="folder to write train.json and curves.csv into")
    arguments = parser.parse_args()

    name = arguments.experiment
    params = load_params()
    params.experiment(name)
    experiment = resolve_experiments(params)[name]
    data = load_training_data(arguments.split, experiment.training.data)
    verify_split(arguments.split, data.info)
    if experiment.init_from in params.experiments:
        verify_model(arguments.pretrained)
    pretrained = load_pretrained(experiment, arguments.pretrained)
    info = ModelInfo(name=name, experiment=experiment, split=data.info)
    origins = origins_of(experiment, data, pretrained)

    fits = {}
    with TrainingJournal(info, origins).running() as journal:
        for seed, origin in origins.items():
            report = partial(print_epoch, name, seed)
            fits[seed] = train_once(name, experiment, data, pretrained, origin, report, journal.seed_facts(seed))
        record = train_record(fits, journal.identities)
        journal.add_record(record)
        save_model(arguments.model, info, fits)
        save_metrics(arguments.metrics, fits, record)


if __name__ == "__main__":
    run_command(main)
