"""What goes wrong in the system around us, told in a sentence: no space, no permission, no memory, too many files."""

import errno
import os
import re
from pathlib import Path

REMEDIES = {
    errno.ENOSPC: "no space is left: `reprolab prune` and `dvc gc --workspace` make room",
    errno.EDQUOT: "your quota is used up: `reprolab prune` and `dvc gc --workspace` make room",
    errno.EFBIG: "larger than a file may be: raise the limit (`ulimit -f`), or choose another file system",
    errno.EROFS: "the file system is read-only: work in a folder that can be written",
    errno.EACCES: "no permission: `ls -l` shows whose it is; make it yours",
    errno.EPERM: "not permitted: `ls -l` shows whose it is; make it yours",
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine: close other programs",
    errno.EIO: "the disk fails: look at the system's log (`dmesg`)",
}
MEMORY = "not enough memory: choose a smaller training.batch_size, input.size or network, or close other programs"
# How libraries that are not written in Python put what the system said.
NUMBER = re.compile(r"os error (\d+)")
NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|[Uu]nable to allocate|bad_alloc")
CUT_OFF = re.compile(r"\d+ requested and \d+ written|unexpected pos \d+ vs \d+|PytorchStreamWriter failed")


def sentence_about(error: BaseException) -> str | None:
    """What the system refused, of which path, and what to do; None for an error of another kind."""
    text = str(error)
    if isinstance(error, MemoryError) or NO_MEMORY.search(text):
        return MEMORY
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := NUMBER.search(text)):
        number = int(found[1])
    if number is None and CUT_OFF.search(text):
        number = errno.ENOSPC
    if number is None:
        return None
    path = _path_of(error)
    where = f"{path}: " if path else ""
    return f"{where}{REMEDIES.get(number, f'{os.strerror(number)}; `reprolab check` looks at what surrounds it')}"


def concerns(error: BaseException, path: Path) -> None:
    """Note that the error came up while `path` was written, for those that do not name it."""
    error.add_note(str(path))


def _path_of(error: BaseException) -> str:
    """The file that was to be written, rather than the temporary one beside it."""
    notes = getattr(error, "__notes__", [])
    return str(notes[0] if notes else getattr(error, "filename", None) or "")
