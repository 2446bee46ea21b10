"""Progress bars on standard error, silent where nobody watches."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Never

from tqdm import tqdm

_silent = ContextVar("_silent", default=False)


@contextmanager
def no_bars() -> Iterator[None]:
    """No bar inside the block: it is a part of what another bar shows."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def progress_bar(what: str, total: int | None, unit: str) -> "tqdm[Never]":
    """A bar for `total` units of work that is wiped when it closes; call its `update(n)`."""
    # A terminal without a size, as programs make them, would show nothing.
    size = shutil.get_terminal_size()
    return tqdm(
        desc=what,
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        leave=False,
        disable=_silent.get() or not (sys.stderr and sys.stderr.isatty()),
        ncols=size.columns,
        nrows=size.lines,
    )
