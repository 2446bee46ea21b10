"""Set the experiments of one data set beside the published figures."""

import argparse
from pathlib import Path

from reprolab.comparison import compare, leftovers, load_baselines
from reprolab.config import load_params
from reprolab.errors import run_command
from reprolab.figures import comparison_figure, save_figure
from reprolab.files import atomic_file, write_json
from reprolab.inputs import stage_inputs
from reprolab.tables import comparison_table, published_table
from reprolab.tracking import Store, origin, view_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("metrics", type=Path, help="folder to read: the data set's metrics")
    parser.add_argument("baselines", type=Path, help="CSV file to read: the published figures")
    parser.add_argument("comparison", type=Path, help="files to write, without their endings .json, .md and .png")
    arguments = parser.parse_args()

    dataset = arguments.dataset
    names = load_params().experiments_of(dataset)
    rows = compare(dataset, names, arguments.metrics, load_baselines(arguments.baselines))
    for path in leftovers(names, arguments.metrics):
        print(f"note: {path} is left over from an experiment that params.yaml lacks; `make prune` removes it")

    files = [arguments.comparison.with_suffix(ending) for ending in (".json", ".md", ".png")]
    write_json(files[0], rows)
    with atomic_file(files[1]) as partial:
        partial.write_text(
            f"## {dataset}\n\n{comparison_table(rows)}\n### Published figures of {dataset}\n\n{published_table(rows)}"
        )
    save_figure(comparison_figure(dataset, rows), files[2])

    inputs = stage_inputs("compare", dataset)
    with view_run(Store(dataset), inputs).in_progress() as run:
        run.set_tags(origin(inputs))
        run.log_scores({f"{row['experiment']}.{key}": row[key] for row in rows for key in ("accuracy", "difference")})
        run.log_files(*files)


if __name__ == "__main__":
    run_command(main)
