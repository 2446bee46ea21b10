"""Set the experiments of one comparison side by side, and beside the published figures."""

import argparse
from pathlib import Path

from reprolab.core.config import Comparison, load_params
from reprolab.core.errors import run_command
from reprolab.core.layout import leftovers
from reprolab.reports.baselines import load_baselines
from reprolab.reports.comparison import compare, learning_curves, save_comparison
from reprolab.tracking.lineage import comparison_lineage
from reprolab.tracking.runs import comparison_run


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

    lineage = comparison_lineage(name, arguments.metrics, files[0])
    with comparison_run(name, comparison.dataset, lineage) as run:
        run.log_scores({f"{row.experiment}.accuracy": row.accuracy for row in rows})
        run.log_scores({f"{row.experiment}.difference": row.difference for row in rows})
        last = {row.experiment: row.learning[0].gap for row in rows if row.learning}
        run.log_scores({f"{name}.last_accuracy_gap": gap.accuracy for name, gap in last.items() if gap})
        run.log_scores({f"{name}.last_loss_gap": gap.loss for name, gap in last.items() if gap})
        run.log_files(*files)


if __name__ == "__main__":
    run_command(main)
