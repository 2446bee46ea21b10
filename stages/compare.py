"""Set the experiments of one comparison side by side, and beside the published figures."""

import argparse
from pathlib import Path

from reprolab.core.comparison import Comparison
from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.core.layout import leftovers
from reprolab.reports.baselines import load_baselines
from reprolab.reports.comparison import compare, comparison_scores, learning_curves, save_comparison
from reprolab.tracking.recording import record_comparison


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparison", help="a key of `comparisons` in params.yaml")
    parser.add_argument("metrics", type=Path, help="folder to read: the metrics of the comparison's data set")
    parser.add_argument("baselines", type=Path, help="CSV file to read: the published figures")
    parser.add_argument("output", type=Path, help="folder to write figures into; .json and .md beside it")
    parser.add_argument("--dataset", required=True, help="a key of `datasets`")
    parser.add_argument("--title", help="heading; the comparison's name by default")
    parser.add_argument("--experiments", nargs="+", help="keys of `experiments`; all of the data set by default")
    parser.add_argument("--curves", action="store_true", help="learning curves too")
    arguments = parser.parse_args()

    name, params = arguments.comparison, load_params()
    comparison = Comparison(
        title=arguments.title, dataset=arguments.dataset, experiments=arguments.experiments, curves=arguments.curves
    )
    experiments = params.compared(comparison)
    baselines = load_baselines(arguments.baselines)
    rows = compare(comparison.dataset, experiments, arguments.metrics, baselines, comparison.curves)
    curves = learning_curves(experiments, arguments.metrics) if comparison.curves else None
    for path in leftovers(params.experiments_of(comparison.dataset), arguments.metrics):
        print(f"note: {path} is left over from an experiment that params.yaml lacks; `make prune` removes it")
    files = save_comparison(arguments.output, comparison.title or name, rows, curves)

    record_comparison(name, comparison.dataset, arguments.metrics, comparison_scores(rows), files)


if __name__ == "__main__":
    run_command(main)
