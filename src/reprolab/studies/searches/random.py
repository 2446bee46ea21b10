"""Points drawn at random (Bergstra & Bengio 2012): Optuna's sampler."""

from reprolab.core.bounds import Seed
from reprolab.studies.plan import Plan, Points, Repeats


def build(*, points: Points, seed: Seed = 0, seeds: Repeats = 1) -> Plan:
    from optuna.samplers import RandomSampler

    return Plan(sampler=RandomSampler(seed), points=points, seeds=seeds)
