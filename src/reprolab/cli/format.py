"""Write params.yaml as DVC writes it, so that `dvc exp run -S` changes one line of it."""

import re
import tempfile
from collections import Counter
from pathlib import Path

from reprolab.core.config import Params
from reprolab.core.entry import WIDTH
from reprolab.core.errors import InputError, shown
from reprolab.core.files import write_text
from reprolab.core.layout import PARAMS

KEY = re.compile(r"( *)[^\s#-][^:]*:( |$)")
LIST = re.compile(r"( *)[^\s#-][^:]*: *(\[.*\])? *(#.*)?$")
ITEM = r"(?:[^'\"{}\[\],]|\[[^'\"{}\[\]]*\])+"  # of a mapping in braces, which may be a list of plain values
BRACES = re.compile(rf"( *)([^\s#-][^:]*:) \{{({ITEM}(?:,{ITEM})*)\}}( *#.*)?")
COMMENT = re.compile(r"#.*")


def run(params: Params) -> None:
    """Raises `InputError` where a comment would be lost."""
    former = PARAMS.read_text(encoding="utf-8")
    if (text := formatted(former)) == former:
        return
    if lost := Counter(COMMENT.findall(former)) - Counter(COMMENT.findall(text)):
        remedy = "put a key with a single value behind that list"
        raise InputError(f"{PARAMS}: DVC loses comments behind a list, as {shown(min(lost))}; {remedy}")
    write_text(PARAMS, text)
    print(f"wrote {PARAMS}")


def formatted(text: str) -> str:
    """The text of parameters without an error, as DVC leaves it when it changes nothing."""
    from dvc.utils.hydra import apply_overrides  # takes a second to import

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PARAMS.name
        former = ""
        while text != former:  # what follows a list goes at the second time
            former = text
            write_text(path, lists_inside(in_columns(text)))
            apply_overrides(path, [])
            text = path.read_text(encoding="utf-8")
    return text


def in_columns(text: str) -> str:
    """The text with a line for each key of a mapping in braces that DVC would break."""
    lines: list[str] = []
    for line in text.split("\n"):
        found = BRACES.fullmatch(line)
        if found and len(line) - len(found[4] or "") > WIDTH:
            lines.append(f"{found[1]}{found[2]}{found[4] or ''}")
            lines += [f"{found[1]}  {item.strip()}" for item in re.findall(ITEM, found[3])]
        else:
            lines.append(line)
    return "\n".join(lines)


def lists_inside(text: str) -> str:
    """The text with no list at the end of a mapping: DVC loses the comments and empty lines behind it."""
    lines = text.split("\n")
    for start in range(len(lines)):
        end = _end_of_list(lines, start)
        following = next((line for line in lines[end:] if line.strip() and not line.lstrip().startswith("#")), "")
        if end == start or _indent(following) >= _indent(lines[start]):
            continue
        if place := _place_before(lines, start):
            before, first = place
            lines[before:end] = lines[first:end] + lines[before:first]
    return "\n".join(lines)


def _end_of_list(lines: list[str], start: int) -> int:
    """Behind the list that begins at a line; the line itself where there is none."""
    found = LIST.fullmatch(lines[start])
    if not found:
        return start
    if found[2]:
        return start + 1
    end = start + 1
    while end < len(lines) and re.match(rf"{found[1]} *- ", lines[end]):
        end += 1
    return end if end > start + 1 else start


def _place_before(lines: list[str], start: int) -> tuple[int, int] | None:
    """The nearest key before a list, in the same mapping, that is no list, and the first of the lists behind it."""
    first = start
    for number in range(start - 1, -1, -1):
        if lines[number].strip() and _indent(lines[number]) < _indent(lines[start]):
            return None
        if KEY.match(lines[number]) and _indent(lines[number]) == _indent(lines[start]):
            if _end_of_list(lines, number) == number:
                return number, first
            first = number
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
