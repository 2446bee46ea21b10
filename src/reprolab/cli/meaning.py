"""Which modules of a stage's code changed since its result: in meaning, or in bytes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from reprolab.cli.history import Files, History
from reprolab.cli.stages import Input
from reprolab.training.identity import module_hash


@dataclass
class CodeChanges:
    """Names of modules, of scripts their paths; below those of dependencies.

    `added` are new in dvc.yaml. Of `unknown` and `harmless` no commit has what they were. What the archive knows of
    their modules stands in `meaning`; `harmless` are those of which it knows that none counts that changed.
    """

    meaning: list[str] = field(default_factory=list)
    bytes_alone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    harmless: list[str] = field(default_factory=list)


def code_changes(
    inputs: Sequence[Input], history: History, former: Mapping[str, str], present: Mapping[str, str]
) -> CodeChanges:
    """`former` and `present` have the hashes of the modules that count in a training's identity, as far as known."""
    found = CodeChanges()
    for changed in inputs:
        if not changed.old:
            found.added.append(changed.path)
        elif changed.new and (files := history.former(changed.path, changed.old)):
            _compare(files, history.present(changed.path), found)
        else:
            modules = [name for name in present if former and _lies_in(name, changed.path)]
            differing = [name for name in modules if former.get(name) != present[name]]
            found.meaning += differing
            (found.harmless if modules and not differing else found.unknown).append(changed.path)
    return found


def _compare(former: Files, present: Files, found: CodeChanges) -> None:
    for path in former.differing(present):
        if path not in former.md5:
            kind = found.new
        elif path not in present.md5:
            kind = found.removed
        else:
            kind = found.bytes_alone if _means_the_same(former.read(path), present.read(path)) else found.meaning
        kind.append(_module(path))


@cache  # many stages depend on the same modules
def _means_the_same(one: str, other: str) -> bool:
    try:
        return module_hash(one) == module_hash(other)
    except (SyntaxError, ValueError):
        return False


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(part for part in parts[1:] if part != "__init__") if parts[0] == "src" else path


def _lies_in(module: str, path: str) -> bool:
    return f"{module}.".startswith(f"{_module(path)}.")
