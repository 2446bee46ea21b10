"""How a study goes through its space, and how often each point of it is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

Points = Annotated[int, Field(ge=1, le=10_000)]
Repeats = Annotated[int, Field(ge=1, le=1000)]


@dataclass(frozen=True)
class Plan:
    """Each point is trained with each of `seeds`, or with so many of them, and on each of the `folds` where there are
    any. Each of the `shares` is a point: so much of an evaluation part contaminates the training part.

    A `sampler` of Optuna's draws a number of `points`; without one all are tried. A `pruner` breaks trainings off.
    """

    seeds: int | Sequence[int] = 1
    folds: int = 0
    fold_seed: int = 0
    shares: tuple[float, ...] = ()
    sampler: "BaseSampler | None" = None
    points: int | None = None
    pruner: "BasePruner | None" = None
