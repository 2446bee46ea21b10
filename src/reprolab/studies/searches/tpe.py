"""Points where good ones were found before (tree-structured Parzen estimator, Bergstra et al. 2011): Optuna's sampler.

With `pruning`, trainings that lag behind at their epoch are broken off (Hyperband, Li et al. 2018): Optuna's pruner.
"""

from reprolab.core.bounds import Seed
from reprolab.studies.plan import Plan, Points, Repeats


def build(*, points: Points, seed: Seed = 0, seeds: Repeats = 1, pruning: bool = False) -> Plan:
    """Raises `ValueError` for pruning with several seeds, whose mean is not known before all have ended."""
    from optuna.pruners import HyperbandPruner
    from optuna.samplers import TPESampler

    if pruning and seeds > 1:
        raise ValueError("pruning looks at a training while it runs, so it needs seeds: 1")
    return Plan(
        sampler=TPESampler(n_startup_trials=max(1, min(10, points // 4)), multivariate=True, seed=seed),
        points=points,
        seeds=seeds,
        pruner=HyperbandPruner() if pruning else None,
    )
