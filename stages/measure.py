"""Measure what the architecture of one experiment costs, and list its layers."""

import argparse
from pathlib import Path

from reprolab.classifier import build_classifier
from reprolab.config import load_params
from reprolab.costs import costs, layer_rows
from reprolab.data.splits import load_info
from reprolab.device import choose_device
from reprolab.errors import run_command
from reprolab.files import write_csv, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a key of `experiments` in params.yaml")
    parser.add_argument("split", type=Path, help="folder to read: the data set's split, of which split.json")
    parser.add_argument("costs", type=Path, help="files to write: <costs>.json and <costs>-layers.csv")
    arguments = parser.parse_args()

    experiment = load_params().experiment(arguments.experiment)
    info = load_info(arguments.split)
    device = choose_device() if info.holds_images else choose_device().exact()
    whole = experiment.model_copy(update={"freeze": "none"})
    classifier = build_classifier(whole, info)
    rows = layer_rows(classifier, tuple(info.shape))
    measured = costs(classifier, tuple(info.shape), experiment.training.batch_size, device)
    name = arguments.costs.name
    write_csv(arguments.costs.with_name(f"{name}-layers.csv"), rows)
    write_json(arguments.costs.with_name(f"{name}.json"), measured)


if __name__ == "__main__":
    run_command(main)
