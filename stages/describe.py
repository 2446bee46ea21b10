"""Draw one data set: the classes of its parts, sample images, pairs of features."""

import argparse
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.files import atomic_directory
from reprolab.evaluation.data_figures import data_figures
from reprolab.evaluation.drawing import save_figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("raw", type=Path, help="folder to read: what download wrote")
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("figures", type=Path, help="folder to write: the figures")
    arguments = parser.parse_args()

    dataset = load_params().dataset(arguments.dataset)
    with atomic_directory(arguments.figures) as folder:
        for file, figure in data_figures(dataset, arguments.raw, arguments.split).items():
            save_figure(figure, folder / file)


if __name__ == "__main__":
    run_command(main)
