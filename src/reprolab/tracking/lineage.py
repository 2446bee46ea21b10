"""What a result is made from, where and by whom, as tags of its run in MLflow."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from importlib.metadata import version
from pathlib import Path

from reprolab.core.files import file_hash
from reprolab.core.git import head, is_edited
from reprolab.training.identity import Origin, code_hash, hash_of

IDENTITY, STAGE, EXPERIMENT = "reprolab.identity", "reprolab.stage", "reprolab.experiment"


@dataclass(frozen=True)
class Lineage:
    """`identity` is that of the result; `data` and `code` are hashes of what it is made from."""

    stage: str
    identity: str
    data: str
    code: str

    def tags(self) -> dict[str, str]:
        """For MLflow: what a result is made from, and where."""
        tags = {
            "mlflow.source.name": self.stage,
            "mlflow.user": _user(),
            "reprolab.data": self.data,
            "reprolab.code": self.code,
            "reprolab.torch": version("torch"),
        }
        if commit := head():
            tags |= {"mlflow.source.git.commit": commit, "reprolab.git_dirty": str(is_edited())}
        if experiment := os.environ.get("DVC_EXP_NAME"):
            tags["reprolab.dvc_experiment"] = experiment
        return tags


def training_lineage(name: str, origins: Mapping[int, Origin]) -> Lineage:
    """Of all seeds' trainings, which differ in the seed alone."""
    identity = hash_of([origin.identity for origin in origins.values()])
    one = next(iter(origins.values()))
    return Lineage(f"train@{name}", identity, one.data, hash_of(one.modules))


def comparison_lineage(name: str, metrics: Path, rows: Path) -> Lineage:
    """A comparison is identified by the rows that it wrote; `metrics` is the folder that it read."""
    files = sorted(path for path in metrics.rglob("*") if path.is_file())
    data = hash_of({str(path.relative_to(metrics)): file_hash(path) for path in files})
    return Lineage(f"compare@{name}", file_hash(rows), data, code_hash("reprolab.reports.comparison"))


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())
