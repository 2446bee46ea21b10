"""What a result is made from and by whom: what its journal begins with."""

import os
from collections.abc import Mapping
from getpass import getuser
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reprolab.core.files import file_hash
from reprolab.core.git import git, head, is_edited
from reprolab.core.layout import PARAMS
from reprolab.training.identity import Origin, code_hash, hash_of

if TYPE_CHECKING:
    from reprolab.data.parts import SplitInfo

LONGEST_NAME = 60


def lineage(origin: Mapping[str, str]) -> dict[str, str]:
    """As tags for MLflow; `origin` are those of what the result is made from."""
    tags = {"mlflow.user": _user(), **origin, "reprolab.torch": version("torch")}
    if commit := head():
        tags |= {"mlflow.source.git.commit": commit, "reprolab.git_dirty": str(is_edited())}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags["reprolab.dvc_experiment"] = experiment
    return tags


def training_lineage(origins: Mapping[int, Origin]) -> dict[str, str]:
    """Of all seeds' trainings, which differ in the seed alone."""
    return lineage(origin_tags(next(iter(origins.values()))))


def origin_tags(origin: Origin) -> dict[str, str]:
    """Hashes of the data and the code that a training is made from."""
    return _origin_tags(origin.data, hash_of(origin.modules))


def training_identity(identities: Mapping[int, str]) -> str:
    """The identity of a result of several seeds."""
    return hash_of(list(identities.values()))


def comparison_lineage(metrics: Path) -> dict[str, str]:
    """`metrics` is the folder that a comparison reads."""
    files = sorted(path for path in metrics.rglob("*") if path.is_file())
    data = hash_of({str(path.relative_to(metrics)): file_hash(path) for path in files})
    return lineage(_origin_tags(data, code_hash("reprolab.reports.comparison")))


def study_lineage(split: "SplitInfo") -> dict[str, str]:
    return lineage(_origin_tags(hash_of(split.sha256), code_hash("reprolab.studies.run")))


def run_title(name: str) -> str:
    """The experiment's name, with what tells this run from others of it: what params.yaml says otherwise than the
    commit that is checked out, or else the name that DVC gave it."""
    what = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in _edits(name).items())
    what = what or os.environ.get("DVC_EXP_NAME", "")
    if len(what) > LONGEST_NAME:
        what = f"{what[:LONGEST_NAME]}…"
    return f"{name} ({what})" if what else name


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _origin_tags(data: str, code: str) -> dict[str, str]:
    return {"reprolab.data": data, "reprolab.code": code}


def _edits(name: str) -> dict[str, Any]:
    """By dotted key, the settings of an experiment that are others than in the commit; none for a new experiment."""
    committed = _settings(git("show", f"HEAD:./{PARAMS}"), name)
    if not committed or not PARAMS.exists():
        return {}
    present = _settings(PARAMS.read_text(encoding="utf-8"), name)
    return {key: value for key, value in present.items() if committed.get(key) != value}


def _settings(text: str | None, name: str) -> dict[str, Any]:
    try:
        params = YAML(typ="safe", pure=True).load(text or "")
        return flat(params["experiments"][name])
    except (YAMLError, KeyError, TypeError, AttributeError):
        return {}


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())
