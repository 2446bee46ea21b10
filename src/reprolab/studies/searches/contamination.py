"""What a score is worth when images of the evaluation part are trained on: half of the validation part lends growing
`shares` of its images to the training part and is scored, the other half stays clean and says the truth."""

from typing import Annotated

from pydantic import Field

from reprolab.studies.plan import Plan, Repeats

Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1, max_length=101)]


def build(*, shares: Shares, seeds: Repeats = 1) -> Plan:
    """Raises `ValueError` for a share that stands twice."""
    if len(set(shares)) < len(shares):
        raise ValueError("shares should hold different shares")
    return Plan(shares=tuple(float(share) for share in shares), seeds=seeds)
