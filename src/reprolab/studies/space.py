"""The space of a study: the settings that its points stand for, and whether the experiment takes them."""

import copy
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reprolab.core.config import Experiment, Params
from reprolab.core.errors import InputError
from reprolab.core.study import Dimension, Range, Settings, Study
from reprolab.core.validation import explain
from reprolab.models.build import resolve_experiment
from reprolab.studies.plan import Plan

if TYPE_CHECKING:
    from optuna.trial import Trial

MOST_TRAININGS = 10_000


def plan_of(study: Study, where: str) -> Plan:
    """Raises `InputError` where the search's options are wrong, or do not fit the space."""
    try:
        plan = study.search.bind(f"{where}.search")()
    except ValueError as error:
        raise InputError(f"{where}.search: {error}") from None
    assert isinstance(plan, Plan)
    for dimension in study.dimensions():
        if isinstance(dimension.values, Range) and not plan.sampler:
            raise InputError(
                f"{where}.space.{dimension.key}: found a range, which has no end of values for '{study.search.name}'; "
                "give a list, or search by random or tpe"
            )
    if plan.shares and study.space:
        raise InputError(f"{where}.space: a contamination has the shares as its points; remove the space")
    if plan.sampler and not study.space:
        raise InputError(f"{where}.space: '{study.search.name}' needs a space to draw points from; add one")
    return plan


def checked_plan(params: Params, name: str) -> Plan:
    """The plan of a study whose every point its experiment takes, as far as that can be seen before it runs.

    Raises `InputError` for the first one that it does not.
    """
    study, where = params.study(name), f"studies.{name}"
    plan = plan_of(study, where)
    seeds = plan.seeds if isinstance(plan.seeds, int) else len(plan.seeds)
    count = (plan.points or _size(study)) * seeds * max(1, plan.folds) * max(1, len(plan.shares))
    if count > MOST_TRAININGS:
        raise InputError(f"{where}: these are {count:,} trainings; at most {MOST_TRAININGS:,} are allowed in one study")
    has_validation = params.dataset(study.dataset).split.validation is not None
    if not plan.folds and not has_validation:
        raise InputError(
            f"{where}: '{study.dataset}' has no validation part to choose by; give datasets.{study.dataset}.split a "
            "validation, or search by folds"
        )
    for settings in all_points(study) if not plan.sampler else _single_values(study):
        experiment = experiment_at(params.experiment(study.of), settings, f"{where}.space")
        if not plan.folds and experiment.training.data != "train":
            raise InputError(
                f"{where}: '{study.of}' trains on {experiment.training.data}, which leaves no example to choose by; "
                "add space.training.data: [train]"
            )
    return plan


def all_points(study: Study) -> Iterator[Settings]:
    """Every combination of the values, the last key's changing first."""
    dimensions = study.dimensions()
    for values in product(*(_listed(dimension) for dimension in dimensions)):
        yield {dimension.key: value for dimension, value in zip(dimensions, values, strict=True)}


def suggested(trial: "Trial", study: Study) -> Settings:
    """The point that Optuna's sampler draws."""
    return {dimension.key: _suggested(trial, dimension) for dimension in study.dimensions()}


def experiment_at(base: Experiment, settings: Settings, where: str) -> Experiment:
    """As `changed`, with all defaults filled in."""
    return resolve_experiment(changed(base, settings, where), where)


def changed(base: Experiment, settings: Settings, where: str) -> Experiment:
    """The experiment with these settings in place of its own.

    Raises `InputError`, with keys below `where`, where they are none of an experiment's.
    """
    content = base.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    for key, value in settings.items():
        *parents, last = key.split(".")
        inside = content
        for parent in parents:
            inside = inside.setdefault(parent, {})
            if not isinstance(inside, dict):
                raise InputError(f"{where}.{key}: '{parent}' is no mapping in this experiment, but {inside!r}")
        inside[last] = copy.deepcopy(value)
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        raise InputError("\n  ".join(explain(error, content, where))) from None


def _size(study: Study) -> int:
    size = 1
    for dimension in study.dimensions():
        size *= len(_listed(dimension))
    return size


def _listed(dimension: Dimension) -> list[Any]:
    assert isinstance(dimension.values, list)
    return dimension.values


def _single_values(study: Study) -> Iterator[Settings]:
    """Each value by itself, beside those of the keys that have one alone; of a range its ends."""
    found = {
        dimension.key: [values.low, values.high] if isinstance(values := dimension.values, Range) else values
        for dimension in study.dimensions()
    }
    fixed = {key: values[0] for key, values in found.items() if len(values) == 1}
    for key, values in found.items():
        yield from ({**fixed, key: value} for value in values)


def _suggested(trial: "Trial", dimension: Dimension) -> Any:
    values = dimension.values
    if isinstance(values, Range):
        if values.is_whole:
            return trial.suggest_int(dimension.key, int(values.low), int(values.high), log=values.log)
        return trial.suggest_float(dimension.key, values.low, values.high, log=values.log)
    # Optuna takes no lists and mappings as values.
    return values[trial.suggest_categorical(dimension.key, range(len(values)))]
