"""Set two studies over the same seeds or folds side by side: is the difference between them real?"""

import argparse
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.reports.contrasts import contrast, contrast_scores, save_contrast
from reprolab.studies.record import load_rows
from reprolab.tracking.recording import record_comparison


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contrast", help="a key of `contrasts` in params.yaml")
    parser.add_argument("first", type=Path, help="CSV file to read: the first study's table of trials")
    parser.add_argument("second", type=Path, help="CSV file to read: that of the second one")
    parser.add_argument("output", type=Path, help="folder to write the figure into; .json and .md beside it")
    arguments = parser.parse_args()

    name, params = arguments.contrast, load_params()
    entry = params.contrast(name)
    studies = params.study(entry.first), params.study(entry.second)
    found = contrast(entry, studies, (load_rows(arguments.first), load_rows(arguments.second)))
    written = save_contrast(arguments.output, entry.title or name, found)
    record_comparison(name, studies[0].dataset, arguments.first.parent, contrast_scores(found), written, "contrast")


if __name__ == "__main__":
    run_command(main)
