"""The same settings with several seeds: mean and spread. With a space, each of its points, and which of them differ.

`seeds` are these, or so many: the experiment's own first, then those after the highest.
"""

from reprolab.core.bounds import Seeds
from reprolab.studies.plan import Plan, Repeats


def build(*, seeds: Repeats | Seeds) -> Plan:
    """Raises `ValueError` for a seed that stands twice."""
    if not isinstance(seeds, int) and len(set(seeds)) < len(seeds):
        raise ValueError("seeds should hold different seeds")
    return Plan(seeds=seeds)
