"""k-fold cross-validation over the training part and the validation part, where there is one (Stone 1974): stratified,
and no example is in two folds. `seed` shuffles the examples."""

from typing import Annotated

from pydantic import Field

from reprolab.core.bounds import Seed
from reprolab.studies.plan import Plan, Repeats


def build(*, folds: Annotated[int, Field(ge=2, le=100)], seed: Seed = 0, seeds: Repeats = 1) -> Plan:
    return Plan(folds=folds, fold_seed=seed, seeds=seeds)
