"""Every combination of the values in the space."""

from reprolab.studies.plan import Plan, Repeats


def build(*, seeds: Repeats = 1) -> Plan:
    return Plan(seeds=seeds)
