"""The entries of `studies` in params.yaml: which experiment is trained again and again, and over what.

Whether a space fits the experiment is checked by `studies.space`, which knows experiments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from reprolab.core.errors import shown
from reprolab.core.names import Name, Title
from reprolab.core.registry import Component
from reprolab.core.validation import Section, complete_error, explain, key_path

Settings = dict[str, Any]  # by an experiment's key, with dots

Objective = Literal["validation_accuracy", "validation_macro_f1", "validation_loss"]

OWN = {
    "dataset": "a study stays on its data set",
    "init_from": "a study starts from random weights",
    "training.seeds": "how many seeds there are is said in `search`",
}


class Search(Component):
    folder = "studies/searches"


class Range(Section):
    """Numbers from `low` to `high`: whole ones where both are, and spread evenly over powers of ten where `log`."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        if not self.low < self.high:
            raise complete_error(f"low {shown(self.low)} should be below high {shown(self.high)}")
        if self.log and self.low <= 0:
            raise complete_error(f"low {shown(self.low)} should be above 0, since log is true")
        return self

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Dimension:
    """A key of an experiment, with dots, and what it may be: a list of values, or a range."""

    key: str
    values: list[Any] | Range


class Study(Section):
    """`space` looks like an experiment, with a list of values, or a range, in the place of each value that varies."""

    title: Title | None = None
    dataset: Name
    of: Name
    search: Search
    space: dict[str, Any] = Field(default_factory=dict)
    objective: Objective = "validation_accuracy"

    @field_validator("space")
    @classmethod
    def _dimensions(cls, space: dict[str, Any]) -> dict[str, Any]:
        list(_walk(space, ()))
        return space

    def dimensions(self) -> list[Dimension]:
        """In the order of `space`."""
        return list(_walk(self.space, ()))

    @property
    def maximizes(self) -> bool:
        return self.objective != "validation_loss"


def _walk(space: Any, path: tuple[str, ...]) -> Iterator[Dimension]:
    where = key_path(path)
    if where in OWN:
        raise complete_error(f"{where}: {OWN[where]}; remove this key")
    if isinstance(space, list):
        if not space:
            raise complete_error(f"{where}: found an empty list; it should hold the values to try")
        if any(value == other for place, value in enumerate(space) for other in space[:place]):
            raise complete_error(f"{where}: found a value twice; each should stand once")
        yield Dimension(where, space)
    elif path and isinstance(space, dict) and {"low", "high"} & space.keys():
        try:
            yield Dimension(where, Range.model_validate(space))
        except ValidationError as error:
            raise complete_error(explain(error, space, where)[0]) from None
    elif isinstance(space, dict) and (space or not path):
        for key, inside in space.items():
            if not isinstance(key, str):
                raise complete_error(f"{where}: unknown key {shown(key)}")
            if "." in key:
                raise complete_error(
                    f"{key_path([*path, key])}: found a key with a dot; write each part on its own line"
                )
            yield from _walk(inside, (*path, key))
    else:
        raise complete_error(f"{where}: found {shown(space)}; it should be a list of values, or {{low: …, high: …}}")
