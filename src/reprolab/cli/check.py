"""Check params.yaml and data/baselines.csv, and what surrounds the pipeline; say what is wrong and what to do.

What can be wrong without the data: whether a network can be built for them is seen when it trains.
"""

from collections.abc import Iterator

from reprolab.cli.doctor import machine, repository
from reprolab.cli.doctor.finding import Finding
from reprolab.cli.prune import left_over
from reprolab.core.config import IMAGENET, load_params
from reprolab.core.errors import InputError, did_you_mean
from reprolab.core.layout import BASELINES, PARAMS
from reprolab.reports.baselines import load_baselines


def run() -> None:
    """Raises `InputError` with all that stops the pipeline."""
    found = list(findings()) if repository.DVC.is_dir() else []
    errors = [finding.text for finding in found if finding.kind == "error"]
    lines = [finding.text if finding.kind == "ok" else f"note: {finding.text}" for finding in found]
    try:
        lines += check_params()
    except InputError as error:
        errors.append(str(error))
    if lines:
        print("\n".join(lines), flush=True)
    if errors:
        raise InputError("\nerror: ".join(errors))


def findings() -> Iterator[Finding]:
    """About the machine, and about a repository whose root is the working directory."""
    for look in (*machine.LOOKS, *repository.LOOKS):
        yield from look()


def check_params() -> list[str]:
    """What there is. Raises `InputError` for the first file or section with an error."""
    from reprolab.models.build import imagenet_weights, resolve_experiments  # PyTorch takes a second to import
    from reprolab.studies.space import checked_plan

    params = load_params()
    for name, dataset in params.datasets.items():
        dataset.source.resolved(f"datasets.{name}.source")
    for name, experiment in resolve_experiments(params).items():
        if experiment.init_from == IMAGENET:
            try:
                imagenet_weights(experiment.model)
            except InputError as error:
                raise InputError(f"experiments.{name}.{error}") from None
    for name in params.studies:
        checked_plan(params, name)
    for row in load_baselines(BASELINES):
        known = params.experiments_of(row.dataset)
        if row.experiment not in known:
            raise InputError(
                f"{BASELINES}: {row.dataset}, {row.experiment}: {PARAMS} has no such experiment"
                f"{did_you_mean(row.experiment, known)}"
            )
    counts = f"{len(params.datasets)} data sets, {len(params.experiments)} experiments"
    remedy = f"is left over from an earlier {PARAMS}; `reprolab prune` removes it"
    return [
        *(f"note: {path} {remedy}" for path in left_over(params)),
        "note: `reprolab sync --check` says what MLflow lacks of the results that are here",
        f"{PARAMS}: {counts}, {len(params.comparisons)} comparisons, {len(params.studies)} studies; no error found",
    ]
