"""Errors that a user can correct, reported in a message that fits a screen, without a traceback."""

import difflib
import os
import reprlib
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from reprolab.core.allocator import keep_memory
from reprolab.core.secrets import cleaned
from reprolab.core.surroundings import own_surroundings
from reprolab.core.system import sentence_about

LINES, WIDTH, CHARACTERS = 20, 400, 3000  # of a message, whatever was typed
NAMES = 30  # of what is allowed


class InputError(Exception):
    """Bad input: the message names the key or file, what was found, what is allowed and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(fitting(cleaned(message)))


class _Short(reprlib.Repr):
    """As `repr`, but short, and for what `repr` refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 3, 60, 60, 40

    def repr_int(self, number: int, level: int) -> str:
        try:
            return super().repr_int(number, level)
        except ValueError:  # Python writes no number of thousands of digits
            return f"a whole number of {number.bit_length()} bits"


_short = _Short()


def shown(value: object) -> str:
    """A value as it stands in a message: `'text'`, `[1, 2]`, in about 60 characters."""
    return _short.repr(value)


def fitting(message: str, width: int = WIDTH) -> str:
    """The message without what a screen cannot show and what does not fit on it: the middle of a line wider than
    `width`, and lines beyond a number."""
    text = "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in message)
    lines = text.split("\n")
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"  … and {len(lines) - LINES + 1} lines more"]
    lines = [line if len(line) <= width else f"{line[: width - 100]} … {line[-90:]}" for line in lines]
    text = "\n".join(lines)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 100]} … {text[-90:]}"


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for a near miss, otherwise an empty string."""
    close = difflib.get_close_matches(str(word)[:100], list(allowed), n=1) if isinstance(word, str) else []
    return f" (did you mean '{close[0]}'?)" if close else ""


def choice(what: str, found: object, allowed: Iterable[str]) -> str:
    """The message for a name that is not among the allowed ones."""
    allowed = list(allowed)
    more = f" and {len(allowed) - NAMES} more" if len(allowed) > NAMES else ""
    return f"{what} {shown(found)}{did_you_mean(found, allowed)}; allowed: {', '.join(allowed[:NAMES])}{more}"


def run_command(main: Callable[[], Any]) -> NoReturn:
    """Run a command-line entry point, whatever surrounds it.

    Exit 1 on an `InputError`, where the system refuses something, and on an error of ours; 130 on Ctrl-C, 143 on
    SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminate)
    keep_memory()
    with own_surroundings():
        try:
            main()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:  # as in `reprolab show vit | head -3`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(128 + signal.SIGPIPE)
        except Exception as error:
            if sentence := sentence_about(error):
                print(f"error: {fitting(cleaned(sentence))}", file=sys.stderr)
            else:
                traceback.print_exc()
            sys.exit(1)
        sys.exit(0)


def _terminate(signum: int, frame: object) -> NoReturn:
    # An exception, so that files are cleaned up and the MLflow run is closed on the way out.
    raise SystemExit(128 + signum)
