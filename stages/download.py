"""Fetch and verify the files of one data set."""

import argparse
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.files import atomic_directory
from reprolab.data.fetch import fetch_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("raw", type=Path, help="folder to write: the data set's files as published")
    arguments = parser.parse_args()

    dataset = load_params().dataset(arguments.dataset)
    with atomic_directory(arguments.raw) as folder:
        fetch_source(dataset.source, folder)


if __name__ == "__main__":
    run_command(main)
