"""`reprolab`: check the parameters, tidy up, and write the results into the README."""

import argparse
import shutil
from pathlib import Path

from reprolab.comparison import leftovers, load_baselines
from reprolab.config import Params, load_params
from reprolab.errors import InputError, did_you_mean, run_command
from reprolab.files import atomic_file, read_json
from reprolab.tables import comparison_table

BASELINES, METRICS = Path("data/baselines.csv"), Path("metrics")
RESULT_FOLDERS = (Path("models"), Path("figures"))
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def main() -> None:
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="reprolab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("check", help="check params.yaml and data/baselines.csv").set_defaults(run=check)
    commands.add_parser("prune", help="remove results of experiments that params.yaml lacks").set_defaults(run=prune)
    commands.add_parser("results", help="write the comparisons into README.md").set_defaults(run=results)
    parser.parse_args().run(load_params())


def check(params: Params) -> None:
    """Everything that can be wrong without running a stage."""
    from reprolab.components import component_function
    from reprolab.models import check_models

    check_models(params)
    for name, dataset in params.datasets.items():
        component_function("data.sources", "load", dataset.source, f"datasets.{name}.source")
    for row in load_baselines(BASELINES):
        if row["experiment"] not in params.experiments_of(row["dataset"]):
            known = params.experiments_of(row["dataset"]) or list(params.datasets)
            raise InputError(
                f"{BASELINES}: {row['dataset']}, {row['experiment']}: params.yaml has no such experiment"
                f"{did_you_mean(row['experiment'], known)}"
            )
    print(f"params.yaml: {len(params.datasets)} data sets and {len(params.experiments)} experiments, no mistake found")


def prune(params: Params) -> None:
    """Remove the results that `compare` ignores."""
    found = []
    for dataset in params.datasets:
        found += leftovers(params.experiments_of(dataset), METRICS / dataset)
    for folder in RESULT_FOLDERS:
        found += leftovers(list(params.experiments), folder)
    for path in found:
        shutil.rmtree(path)
        print(f"removed {path}")
    print(f"{len(found)} leftover(s) removed" if found else "nothing to remove")


def results(params: Params) -> None:
    """Write the comparison of every data set between the README's two marks."""
    readme = Path("README.md")
    head, begin, rest = (readme.read_text() if readme.exists() else "").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise InputError(f"{readme} lacks the lines {BEGIN.strip()} and {END.strip()}: add them where the tables go")
    with atomic_file(readme) as partial:
        partial.write_text(head + BEGIN + results_section(params) + END + tail)


def results_section(params: Params) -> str:
    """A heading and a table for each data set that has been compared."""
    compared = {name: METRICS / "comparison" / f"{name}.json" for name in params.datasets}
    tables = {name: comparison_table(read_json(path)) for name, path in compared.items() if path.exists()}
    return "".join(f"\n### {name}\n\n{table}" for name, table in tables.items()) + "\n"


if __name__ == "__main__":
    main()
