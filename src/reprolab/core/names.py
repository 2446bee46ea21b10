"""What a name and a title of `params.yaml` may be."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _one_line(title: str) -> str:
    # It becomes a word of a command line, a heading, and a line of a figure.
    if not (title == title.strip() and title.isprintable() and 0 < len(title) <= 100):
        raise PydanticCustomError("title", "should be one line of 1 to 100 characters")
    if title.startswith("-"):
        raise PydanticCustomError("title", "should not begin with '-', as an option of a command does")
    return title


# A name is a file's name, with an ending and more around it.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
# strict=False lets a list of YAML become a tuple; what is inside stays strict.
Names = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
Title = Annotated[str, AfterValidator(_one_line)]
