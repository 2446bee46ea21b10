"""The same settings with several seeds: mean and spread. With a space, each of its points, and which of them differ.

`seeds` are these, or so many: the experiment's own first, then those after the highest.
"""

from reprolab.core.bounds import Seeds
from reprolab.studies.plan import Plan, Repeats


def build(*, seeds: Repeats | Seeds) -> Plan:
    return Plan(seeds=seeds)
