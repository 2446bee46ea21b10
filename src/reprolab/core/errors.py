"""Errors that a user can correct, reported without a traceback."""

import difflib
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn


class InputError(Exception):
    """Bad input: the message names the key or file, what was found, what is allowed and what to do."""


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for a near miss, otherwise an empty string."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def choice(what: str, found: object, allowed: Iterable[str]) -> str:
    """The message for a name that is not among the allowed ones."""
    allowed = list(allowed)
    return f"{what} '{found}'{did_you_mean(found, allowed)}; allowed: {', '.join(allowed)}"


def run_command(main: Callable[[], None]) -> NoReturn:
    """Run a command-line entry point; exit 1 on an `InputError`, 130 on Ctrl-C, 143 on SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def _terminate(signum: int, frame: object) -> NoReturn:
    # An exception, so that files are cleaned up and the MLflow run is closed on the way out.
    raise SystemExit(128 + signum)
