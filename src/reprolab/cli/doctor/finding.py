"""What a look at something found."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """An error stops `dvc repro`; a note stops something else, or nothing. The text says what to do about it."""

    kind: Literal["ok", "note", "error"]
    text: str
