"""`reprolab`: check the parameters, tidy up, and write the results into the pages."""

import argparse
import shutil
from pathlib import Path

from reprolab.comparison import leftovers, load_baselines
from reprolab.config import IMAGENET, RANDOM, RESERVED, Params, load_params
from reprolab.errors import InputError, did_you_mean, run_command
from reprolab.files import CHECKPOINTS
from reprolab.pages import METRICS, write_pages

BASELINES = Path("data/baselines.csv")


def main() -> None:
    run_command(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="reprolab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("check", help="check params.yaml and data/baselines.csv").set_defaults(run=check)
    commands.add_parser("prune", help="remove results that params.yaml lacks, and old checkpoints").set_defaults(
        run=prune
    )
    commands.add_parser("results", help="write the tables into README.md and docs").set_defaults(run=write_pages)
    measuring = commands.add_parser("measure", help="measure what architectures cost, trained or not")
    measuring.add_argument("experiment", nargs="*", help="keys of `experiments` in params.yaml; all of them by default")
    measuring.set_defaults(run=measure_costs)
    arguments = parser.parse_args()
    arguments.run(load_params(), *([arguments.experiment] if arguments.run is measure_costs else []))


def check(params: Params) -> None:
    """What can be wrong without the data: whether a network can be built for them is seen when it trains."""
    from reprolab.components import component_function
    from reprolab.models import check_models, imagenet_weights

    check_models(params)
    for name, experiment in params.experiments.items():
        if experiment.init_from == IMAGENET:
            try:
                imagenet_weights(experiment.model)
            except InputError as error:
                raise InputError(f"experiments.{name}.{error}") from None
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
    counts = f"{len(params.datasets)} data sets, {len(params.experiments)} experiments, {len(params.studies)} studies"
    print(f"params.yaml: {counts}; no mistake found")


def measure_costs(params: Params, experiments: list[str]) -> None:
    from reprolab.costs import measure

    measure(params, experiments or list(params.experiments), Path("data/splits"), METRICS / "costs")


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
    """Results of experiments, data sets and studies that params.yaml lacks."""
    found = leftovers([*params.datasets, *RESERVED], METRICS)
    owners = {"comparison": set(params.datasets), "costs": set(params.experiments), "studies": set(params.studies)}
    for folder, known in owners.items():
        found += sorted(path for path in (METRICS / folder).glob("[!.]*") if _owner(path) not in known)
    found += leftovers([*params.experiments, RANDOM, IMAGENET], Path("models"))
    found += leftovers(list(params.experiments), Path("figures"))
    for dataset in params.datasets:
        found += leftovers(params.experiments_of(dataset), METRICS / dataset)
    return found


def _owner(path: Path) -> str:
    """The entry of params.yaml that a file of results is named after: `<entry>.json`, `<entry>-layers.csv`."""
    return path.stem.removesuffix("-layers") if path.suffix == ".csv" else path.stem


if __name__ == "__main__":
    main()
