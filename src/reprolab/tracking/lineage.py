"""What a result is made from, where and by whom, as tags of its run in MLflow."""

import os
import subprocess
from dataclasses import dataclass
from getpass import getuser
from importlib.metadata import version
from pathlib import Path

from reprolab.core.files import file_hash
from reprolab.training.identity import Identities, code_hash, hash_of

IDENTITY, STAGE, EXPERIMENT = "reprolab.identity", "reprolab.stage", "reprolab.experiment"
# What DVC itself changes while it runs a stage is no edit of the user's.
WRITTEN_BY_DVC = (":!dvc.lock", ":!metrics", ":!*.gitignore")


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
        if commit := _git("rev-parse", "HEAD"):
            edits = _git("status", "--porcelain", "--", ".", *WRITTEN_BY_DVC)
            tags |= {"mlflow.source.git.commit": commit, "reprolab.git_dirty": str(bool(edits))}
        if experiment := os.environ.get("DVC_EXP_NAME"):
            tags["reprolab.dvc_experiment"] = experiment
        return tags


def training_lineage(name: str, identities: Identities) -> Lineage:
    return Lineage(f"train@{name}", hash_of(list(identities.seeds.values())), identities.data, identities.code)


def comparison_lineage(name: str, metrics: Path, rows: Path) -> Lineage:
    """A comparison is identified by the rows that it wrote; `metrics` is the folder that it read."""
    files = sorted(path for path in metrics.rglob("*") if path.is_file())
    data = hash_of({str(path.relative_to(metrics)): file_hash(path) for path in files})
    return Lineage(f"compare@{name}", file_hash(rows), data, code_hash("reprolab.reports.comparison"))


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
