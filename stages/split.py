"""Cut one data set into training, validation and test parts that share no example."""

import argparse
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.files import atomic_directory
from reprolab.data.fetch import load_source
from reprolab.data.split import make_split, save_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("raw", type=Path, help="folder to read: what download wrote")
    parser.add_argument("split", type=Path, help="folder to write: the three parts and split.json")
    arguments = parser.parse_args()

    dataset = load_params().dataset(arguments.dataset)
    where = f"datasets.{arguments.dataset}"
    source = load_source(dataset.source, arguments.raw, f"{where}.source")
    parts = make_split(source, dataset.split, f"{where}.split")
    with atomic_directory(arguments.split) as folder:
        info = save_split(parts, source, arguments.dataset, folder)
    print(f"{arguments.dataset} ({info.provenance}): {info.sizes}")


if __name__ == "__main__":
    run_command(main)
