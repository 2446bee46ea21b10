"""What a result is made from, where and by whom: the hash of its stage's inputs, as `dvc.yaml` lists them, and tags.

The hash is written into the result, so a result that DVC restores from its cache still says what it came from.
"""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reprolab.core.errors import InputError
from reprolab.core.files import read_yaml
from reprolab.core.layout import PARAMS

CODE = ("src/", "stages/")
INPUTS, STAGE = "reprolab.inputs", "reprolab.stage"
# What DVC itself changes while it runs a stage is no edit of the user's.
WRITTEN_BY_DVC = (":!dvc.lock", ":!metrics", ":!*.gitignore")


@dataclass(frozen=True)
class Lineage:
    """`hash` covers the command, every dependency's content and the parameters; `data` and `code` cover theirs."""

    stage: str
    hash: str
    data: str
    code: str

    @property
    def short(self) -> str:
        return self.hash[:16]

    def tags(self) -> dict[str, str]:
        """For MLflow: what a result is made from, and where."""
        tags = {
            "mlflow.source.name": self.stage,
            "mlflow.user": _user(),
            "reprolab.data": self.data,
            "reprolab.code": self.code,
            "reprolab.torch": version("torch"),
        }
        if commit := _git("rev-parse", "HEAD"):
            edits = _git("status", "--porcelain", "--", ".", *WRITTEN_BY_DVC)
            tags |= {"mlflow.source.git.commit": commit, "reprolab.git_dirty": str(bool(edits))}
        if experiment := os.environ.get("DVC_EXP_NAME"):
            tags["reprolab.dvc_experiment"] = experiment
        return tags


def lineage_of(stage: str, key: str, root: Path = Path()) -> Lineage:
    """The inputs of `<stage>@<key>`, read from the files as they are now. Raises `InputError` when one is missing."""
    definition = read_yaml(root / "dvc.yaml")["stages"][stage]
    params = read_yaml(root / PARAMS)
    names = {"key": key, "item": _lookup(params, definition["foreach"].strip("${}"))[key]}

    def expand(text: str) -> str:
        return re.sub(r"\$\{([\w.-]+)\}", lambda found: str(_lookup(names, found[1])), text)

    template = definition["do"]
    # Of a room of the library its Python files, as in .dvcignore.
    patterns = {path: "*.py" if path.startswith("src/") else "*" for path in map(expand, template["deps"])}
    files = {path: _content_hash(root / path, pattern) for path, pattern in patterns.items()}
    values = {path: _lookup(params, path) for path in map(expand, template.get("params", []))}
    return Lineage(
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


def _content_hash(path: Path, pattern: str = "*") -> str:
    if path.is_dir():
        files = sorted(file for file in path.rglob(pattern) if file.is_file())
        return _hash({str(file.relative_to(path)): _content_hash(file) for file in files})
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro` to produce it") from None


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())
