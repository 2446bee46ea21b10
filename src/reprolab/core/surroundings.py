"""What surrounds a command and must not shape what it does: locale, streams, umask.

Matplotlib's settings are kept out in `evaluation.canvas`, MLflow's variables in `tracking.store`, git's in `core.git`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from reprolab.core.secrets import cleaned

OF_OTHERS = 0o077  # what a umask may take away


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Print in UTF-8 whatever the locale, and no secret; be able to read what is written."""
    umask = os.umask(0)
    os.umask(umask & OF_OTHERS)
    with ExitStack() as stack:
        stack.callback(os.umask, umask)
        # A stream that was closed before the start is None.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stack.enter_context(_own_stream(stream))
        yield


@contextmanager
def _own_stream(stream: TextIO) -> Iterator[None]:
    """The stream itself is changed, since a handler of a library's messages may hold it already."""
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    write = stream.write
    stream.write = lambda text: write(cleaned(text))  # type: ignore[method-assign]
    try:
        yield
    finally:
        stream.write = write  # type: ignore[method-assign]
