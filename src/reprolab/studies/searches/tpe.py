"""Points where good ones were found before (tree-structured Parzen estimator, Bergstra et al. 2011): Optuna's sampler.

With `pruning`, trainings that lag behind are broken off, after that many epochs at the earliest (Hyperband, Li et al.
2018): Optuna's pruner.
"""

from reprolab.core.bounds import Epochs, Seed
from reprolab.studies.plan import Plan, Points, Repeats


def build(*, points: Points, seed: Seed = 0, seeds: Repeats = 1, pruning: Epochs | None = None) -> Plan:
    """Raises `ValueError` for pruning with several seeds, whose mean is not known before all have ended."""
    from optuna.pruners import HyperbandPruner
    from optuna.samplers import TPESampler

    if pruning and seeds > 1:
        raise ValueError("pruning looks at a training while it runs, so it needs seeds: 1")
    return Plan(
        sampler=TPESampler(n_startup_trials=max(1, min(10, points // 4)), multivariate=True, seed=seed),
        points=points,
        seeds=seeds,
        pruner=HyperbandPruner(min_resource=pruning) if pruning else None,
    )
