"""The entries of `comparisons` and `contrasts` in params.yaml: what is set side by side."""

from typing import Self

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from reprolab.core.errors import shown
from reprolab.core.names import Name, Names, Title
from reprolab.core.validation import Section, complete_error


class Comparison(Section):
    """Experiments of one data set set side by side: those listed, or all of them; their learning curves where asked."""

    title: Title | None = None
    dataset: Name
    experiments: Names | None = None
    curves: bool = False

    @field_validator("experiments")
    @classmethod
    def _different_experiments(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names and len(set(names)) < len(names):
            raise PydanticCustomError("repeated", "should hold different experiments")
        return names


class Contrast(Section):
    """Two studies over the same seeds, or the same folds: is the difference between them real?"""

    title: Title | None = None
    first: Name
    second: Name

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.first == self.second:
            raise complete_error(f"first and second are the same study, {shown(self.first)}")
        return self
