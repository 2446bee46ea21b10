"""The same settings with several seeds: mean and spread. With a space, each of its points, and which of them differ."""

from reprolab.studies.plan import Plan, Repeats


def build(*, seeds: Repeats) -> Plan:
    return Plan(seeds=seeds)
