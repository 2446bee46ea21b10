"""`reprolab`: check the parameters, tidy up, and write the results into the README."""

import argparse
import shutil
from pathlib import Path

from reprolab.comparison import leftovers, load_baselines
from reprolab.config import RESERVED, Params, load_params
from reprolab.errors import InputError, did_you_mean, run_command
from reprolab.files import CHECKPOINTS, atomic_file, read_json
from reprolab.tables import comparison_table

BASELINES, METRICS = Path("data/baselines.csv"), Path("metrics")
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def main() -> None:
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="reprolab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("check", help="check params.yaml and data/baselines.csv").set_defaults(run=check)
    commands.add_parser("prune", help="remove results that params.yaml lacks, and old checkpoints").set_defaults(
        run=prune
    )
    commands.add_parser("results", help="write the comparisons into README.md").set_defaults(run=results)
    parser.parse_args().run(load_params())


def check(params: Params) -> None:
    """Everything that can be wrong without running a stage."""
    from reprolab.components import component_function
    from reprolab.models import check_models

    check_models(params)
    for name, dataset in params.datasets.items():
        component_function("data.sources", "load", dataset.source, f"datasets.{name}.source")
        if not params.experiments_of(name):
            raise InputError(f"datasets.{name}: no experiment has `dataset: {name}`, so there is nothing to compare")
    for row in load_baselines(BASELINES):
        known = params.experiments_of(row["dataset"])
        if row["experiment"] not in known:
            raise InputError(
                f"{BASELINES}: {row['dataset']}, {row['experiment']}: params.yaml has no such experiment"
                f"{did_you_mean(row['experiment'], known)}"
            )
    for path in left_over(params):
        print(f"note: {path} is left over from an earlier params.yaml; `reprolab prune` removes it")
    print(f"params.yaml: {len(params.datasets)} data sets and {len(params.experiments)} experiments, no mistake found")


def prune(params: Params) -> None:
    """Remove the results that params.yaml does not name any more, and the checkpoints of interrupted trainings."""
    found = left_over(params) + [folder for folder in [CHECKPOINTS] if folder.exists()]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"removed {path}")
    print(f"{len(found)} removed" if found else "nothing to remove")


def left_over(params: Params) -> list[Path]:
    """Results of experiments and data sets that params.yaml lacks."""
    found = leftovers([*params.datasets, RESERVED], METRICS)
    found += [path for path in (METRICS / RESERVED).glob("[!.]*") if path.stem not in params.datasets]
    for folder in (Path("models"), Path("figures")):
        found += leftovers(list(params.experiments), folder)
    for dataset in params.datasets:
        found += leftovers(params.experiments_of(dataset), METRICS / dataset)
    return found


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
