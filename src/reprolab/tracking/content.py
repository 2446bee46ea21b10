"""What MLflow is to hold of a run."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprolab.core.files import file_hash
from reprolab.core.journal import Status

IDENTITY, STAGE, EXPERIMENT, SEED = "reprolab.identity", "reprolab.stage", "reprolab.experiment", "reprolab.seed"
POINT = "reprolab.point"  # of a study
MACHINE, PROCESS, BORN, ERROR = "reprolab.machine", "reprolab.process", "reprolab.process_born", "reprolab.error"
COMPARISON, STUDY = "comparison", "study"  # names that no data set may have; each study has an experiment of its own

Curves = dict[str, dict[int, tuple[float, float | None]]]  # by metric and step: the value and its time in seconds


@dataclass(frozen=True)
class Model:
    """The trained network of a seed, in files."""

    name: str
    identity: str
    parameters: dict[str, Any]
    split: dict[str, Any]
    weights: Path
    example: Path | None


@dataclass
class Run:
    """A run as MLflow is to have it. `key` are the tags that find it again; `children` those of the seeds, `best` the
    place of the best one by validation among them. Times are in seconds of the epoch, None where nobody noted them."""

    experiment: str
    about: str
    key: dict[str, str]
    name: str
    status: Status
    note: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    split: dict[str, Any] | None = None
    model: Model | None = None
    children: "list[Run]" = field(default_factory=list)
    best: int = 0
    trainings: list[str] = field(default_factory=list)  # their identities
    from_files: bool = False  # for want of a journal
    trained_in: str | None = None  # of a training that was taken over: the identity of the run in which it took place

    def digest(self) -> str:
        """Of all that is to be in MLflow, so that a run that has it need not be looked at."""
        content = {name: value for name, value in vars(self).items() if name not in ("files", "model", "children")}
        content["files"] = {name: file_hash(path) for name, path in self.files.items()}
        content["model"] = self.model.identity if self.model else None
        content["children"] = [child.digest() for child in self.children]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found and its files: `test` scores, `seeds` those of each where they are known."""

    test: dict[str, Any]
    seeds: dict[str, dict[str, float]]
    files: list[Path]
    example: Path | None
