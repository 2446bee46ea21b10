"""Check params.yaml and data/baselines.csv; note results that are left over from an earlier params.yaml.

What can be wrong without the data: whether a network can be built for them is seen when it trains.
"""

from reprolab.cli.prune import left_over
from reprolab.core.config import IMAGENET, Params
from reprolab.core.errors import InputError, did_you_mean
from reprolab.core.layout import BASELINES, PARAMS
from reprolab.reports.baselines import load_baselines


def run(params: Params) -> None:
    """Raises `InputError` for the first file or section with an error."""
    from reprolab.models.build import imagenet_weights, resolve_experiments  # PyTorch takes a second to import

    for name, dataset in params.datasets.items():
        dataset.source.resolved(f"datasets.{name}.source")
    for name, experiment in resolve_experiments(params).items():
        if experiment.init_from == IMAGENET:
            try:
                imagenet_weights(experiment.model)
            except InputError as error:
                raise InputError(f"experiments.{name}.{error}") from None
    for row in load_baselines(BASELINES):
        known = params.experiments_of(row.dataset)
        if row.experiment not in known:
            raise InputError(
                f"{BASELINES}: {row.dataset}, {row.experiment}: {PARAMS} has no such experiment"
                f"{did_you_mean(row.experiment, known)}"
            )
    for path in left_over(params):
        print(f"note: {path} is left over from an earlier {PARAMS}; `reprolab prune` removes it")
    print("note: `reprolab sync --check` says what MLflow lacks of the results that are here")
    counts = f"{len(params.datasets)} data sets, {len(params.experiments)} experiments"
    print(f"{PARAMS}: {counts}, {len(params.comparisons)} comparisons; no error found")
