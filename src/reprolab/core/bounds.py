"""How large and how small a number of `params.yaml` may be: what lies beyond is a slip of the keyboard."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]

Epochs = Annotated[int, Field(ge=1, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000, strict=False)]
Examples = Annotated[int, Field(ge=1, le=1_000_000_000)]
Size = Annotated[float, Field(gt=0, le=1_000_000_000)]  # a share, or a count of examples

LearningRate = Annotated[float, Field(gt=0, le=1000), AfterValidator(lambda rate: _at_least(1e-12, rate))]
WeightDecay = Annotated[float, Field(ge=0, le=1000)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(gt=0, le=10), AfterValidator(lambda factor: _at_least(1e-6, factor))]
Share = Annotated[float, Field(ge=0, lt=1)]  # of what a dropout leaves out

Pixels = Annotated[int, Field(ge=1, le=2048)]  # a side
Margin = Annotated[int, Field(ge=0, le=1024)]  # pixels around an image
Mean = Annotated[float, Field(ge=-1e6, le=1e6)]
Deviation = Annotated[float, Field(gt=0, le=1e6), AfterValidator(lambda deviation: _at_least(1e-6, deviation))]

Width = Annotated[int, Field(ge=1, le=16_384)]  # of a layer
Widths = Annotated[list[Width], Field(max_length=100)]
Layers = Annotated[int, Field(ge=1, le=200)]

PARAMETERS = 2 * 10**9  # that a network may have, whatever its options multiply to


def _at_least(least: float, value: float) -> float:
    if value < least:
        raise PydanticCustomError("least", "should be at least {least}", {"least": least})
    return value
