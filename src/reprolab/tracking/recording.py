"""What the stages record of their work: a journal each, under `.reprolab/runs`, with the small files that go with it.

A journal is named by its stage, the name of what was worked on, and by a hash: of the identities of the trainings, or
of what the stage wrote. It needs nothing beside it, so a temporary copy of the repository may go.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolab.core.entry import experiment_yaml
from reprolab.core.files import file_hash
from reprolab.core.journal import Journal
from reprolab.core.layout import JOURNALS, repository_root
from reprolab.tracking.lineage import comparison_lineage, run_title, study_lineage, training_identity, training_lineage
from reprolab.tracking.live import shown
from reprolab.training.identity import Origin, hash_of

if TYPE_CHECKING:
    import numpy as np

    from reprolab.data.parts import SplitInfo
    from reprolab.evaluation.evaluate import Evaluation
    from reprolab.models.folder import ModelInfo
    from reprolab.training.record import TrainRecord

EXAMPLE = "example.npy"
KEY_DIGITS = 16


def journal_of(stage: str, name: str, key: str) -> Journal:
    return Journal(repository_root() / JOURNALS / f"{stage}-{name}-{key[:KEY_DIGITS]}.jsonl")


def files_of(journal: Journal) -> Path:
    """The folder of a journal's files."""
    return journal.path.with_suffix("")


class TrainingJournal:
    """Of the stage `train`; each seed's training has one of its own in its folder."""

    def __init__(self, info: "ModelInfo", origins: Mapping[int, Origin]) -> None:
        self.info, self.origins = info, origins
        self.identities = {seed: origin.identity for seed, origin in origins.items()}
        self.identity = training_identity(self.identities)
        self.lineage = training_lineage(origins)
        self.journal = journal_of("train", info.name, self.identity)

    @contextmanager
    def running(self) -> "Iterator[TrainingJournal]":
        """Begin it, end it as the block ends, and let MLflow show it meanwhile. Wait where another process is at it."""
        if self.journal.is_open():
            print(f"{self.info.name}: another process is at this training; waiting for it", flush=True)
        facts = training_facts(self.info, self.identities, self.lineage, run_title(self.info.name))
        with shown(self.journal), self.journal.running(**facts):
            yield self

    def seed_facts(self, seed: int) -> dict[str, Any]:
        """What the journal of a seed's training begins with."""
        return {"experiment": self.info.name, "seed": seed, "run": self.identity, "lineage": self.lineage}

    def add_record(self, record: "TrainRecord") -> None:
        self.journal.add("scores", **record.model_dump(mode="json", exclude_none=True))


def training_facts(
    info: "ModelInfo", identities: Mapping[int, str], lineage: Mapping[str, str], title: str
) -> dict[str, Any]:
    """What is known of a training before it begins, for its journal."""
    return {
        "stage": "train",
        "name": info.name,
        "title": title,
        "dataset": info.experiment.dataset,
        "identities": {str(seed): identity for seed, identity in identities.items()},
        "parameters": info.experiment.model_dump(mode="json", exclude_none=True),
        "yaml": experiment_yaml(info.name, info.experiment),
        "split": info.split.model_dump(mode="json"),
        "lineage": dict(lineage),
    }


def record_evaluation(
    name: str, identities: Mapping[int, str], evaluation: "Evaluation", example: "np.ndarray", written: Sequence[Path]
) -> None:
    """`example` (images, *shape) are stored inputs to try the model with; `written` are the files of the stage."""
    import numpy as np

    journal = journal_of("evaluate", name, written_hash(written))
    folder = _keep(journal, [path for path in written if path.suffix == ".png" or path.name == "classes.csv"])
    np.save(folder / EXAMPLE, example)
    start = {"stage": "evaluate", "name": name, "run": training_identity(identities)}
    seeds = {str(seed): vars(scores) for seed, scores in evaluation.scores.items()}
    with shown(journal):
        journal.write(start, {"test": evaluation.record().model_dump(exclude_none=True), "seeds": seeds})


def record_comparison(
    name: str, dataset: str, metrics: Path, scores: Mapping[str, float], written: Sequence[Path], stage: str = "compare"
) -> None:
    """`metrics` is the folder that was read; `written` are the rows, as JSON, and what was made from them."""
    _record_result(stage, name, dataset, comparison_lineage(metrics), scores, written)


def record_study(name: str, dataset: str, split: "SplitInfo", written: Sequence[Path]) -> None:
    """`written` are the table of trials and what was made from it."""
    _record_result("study", name, dataset, study_lineage(split), {}, written)


def _record_result(
    stage: str,
    name: str,
    dataset: str,
    lineage: Mapping[str, str],
    scores: Mapping[str, float],
    written: Sequence[Path],
) -> None:
    key = file_hash(written[0])
    journal = journal_of(stage, name, key)
    _keep(journal, written)
    start = {"stage": stage, "name": name, "dataset": dataset, "identity": key, "lineage": dict(lineage)}
    with shown(journal):
        journal.write(start, {"scores": dict(scores)})


def written_hash(written: Sequence[Path]) -> str:
    """Of the files of a result, by their names."""
    return hash_of({path.name: file_hash(path) for path in written})


def _keep(journal: Journal, files: Sequence[Path]) -> Path:
    folder = files_of(journal)
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)
    return folder
