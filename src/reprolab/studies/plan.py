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
    """Each point is trained with `seeds`, these or so many, and, where there are
    `folds`, on each of them. With `shares`, points
    are also those shares of an evaluation part that the training part is contaminated with.

    A `sampler` of Optuna's draws a number of `points`; without one all are tried.
    """

    seeds: int | Sequence[int] = 1
    folds: int = 0
    fold_seed: int = 0
    shares: tuple[float, ...] = ()
    sampler: "BaseSampler | None" = None
    points: int | None = None
    pruner: "BasePruner | None" = None
