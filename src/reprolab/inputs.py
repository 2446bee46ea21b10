"""The identity of a result: the hash of its stage's inputs, as `dvc.yaml` lists them.

It is written into the result, so a result that DVC restores from its cache still says what it came from.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprolab.config import PARAMS_FILE
from reprolab.errors import InputError
from reprolab.files import read_yaml

CODE = ("src/", "stages/")


@dataclass(frozen=True)
class StageInputs:
    """`hash` covers the command, every dependency's content and the parameters; `data` and `code` cover theirs."""

    stage: str
    hash: str
    data: str
    code: str

    @property
    def short(self) -> str:
        return self.hash[:16]


def stage_inputs(stage: str, key: str, root: Path = Path()) -> StageInputs:
    """The inputs of `<stage>@<key>`, read from the files as they are now. Raises `InputError` when one is missing."""
    definition = read_yaml(root / "dvc.yaml")["stages"][stage]
    params = read_yaml(root / PARAMS_FILE)
    names = {"key": key, "item": _lookup(params, definition["foreach"].strip("${}"))[key]}

    def expand(text: str) -> str:
        return re.sub(r"\$\{([\w.-]+)\}", lambda found: str(_lookup(names, found[1])), text)

    template = definition["do"]
    files = {path: _content_hash(root / path) for path in map(expand, template["deps"])}
    values = {path: _lookup(params, path) for path in map(expand, template.get("params", []))}
    return StageInputs(
        stage=f"{stage}@{key}",
        hash=_hash({"cmd": expand(template["cmd"]), "deps": files, "params": values}),
        data=_hash({path: digest for path, digest in files.items() if not path.startswith(CODE)}),
        code=_hash({path: digest for path, digest in files.items() if path.startswith(CODE)}),
    )


def _lookup(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        found = found[part]
    return found


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _content_hash(path: Path) -> str:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _hash({str(file.relative_to(path)): _content_hash(file) for file in files})
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro` to produce it") from None
