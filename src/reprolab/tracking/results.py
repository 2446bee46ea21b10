"""Results in the workspace, as runs: those that another machine made, or that DVC restored, have no journal here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reprolab.core.files import file_hash, read_json, read_table
from reprolab.core.git import git
from reprolab.core.layout import (
    CLASSES,
    CURVES,
    FIGURES,
    MODEL,
    MODELS,
    TEST,
    TRAIN,
    metrics_folder,
)
from reprolab.tracking.assembly import assemble, comparison
from reprolab.tracking.content import Evaluated, Run
from reprolab.tracking.journals import evaluation_of, training_journal, training_run
from reprolab.tracking.lineage import origin_tags, training_identity
from reprolab.tracking.studies import study
from reprolab.training.history import History, Moment, history_of
from reprolab.training.record import CurvePoint, TrainRecord


def training_result(name: str, dataset: str, evaluated: bool) -> Run | None:
    """The run of a result in the files of the workspace; None where its journals tell all of it.

    `evaluated` says whether the test scores that are here are those of this training. Raises `InputError` where a file
    is missing or damaged.
    """
    metrics = metrics_folder(dataset, name)
    info = read_json(MODELS / name / MODEL, dict[str, Any])
    seeds = info["experiment"]["training"]["seeds"]
    identities = TrainRecord.load_identities(metrics / TRAIN, seeds)
    identity = training_identity(identities)
    journal = training_journal(name, identity)
    known = journal is not None and journal.status() == "FINISHED"
    found = None
    if evaluated and not evaluation_of(name, identity):
        files = [*sorted((FIGURES / name).glob("*")), metrics / CLASSES]
        found = Evaluated(read_json(metrics / TEST, dict[str, Any]), {}, files, None)
    if journal and known:
        run = training_run(journal, journal.lines(), found)
        if run:
            return run if found else None
    histories = _histories(metrics, identities)
    weights = {seed: MODELS / name / f"seed-{seed}.safetensors" for seed in seeds}
    facts = _facts(info, identities, metrics)
    record = TrainRecord.load(metrics / TRAIN).model_dump(mode="json", exclude_none=True)
    run = assemble(facts, histories, record, found or evaluation_of(name, identity), weights, "FINISHED")
    run.from_files = True
    return run


def comparison_result(name: str, dataset: str, rows: Path, scores: Mapping[str, float], stage: str = "compare") -> Run:
    """`rows` is the file that a comparison is identified by; its table and figures lie beside it."""
    files = [rows, rows.with_suffix(".md"), *sorted(rows.with_suffix("").glob("*"))]
    return _from_files(comparison(name, dataset, file_hash(rows), scores, files, stage), rows)


def study_result(name: str, dataset: str, table: Path) -> Run:
    """`table` has the trials; summary, page and figures lie beside it."""
    files = [table, *(table.with_suffix(ending) for ending in (".json", ".md"))]
    files += sorted(table.with_suffix("").glob("*"))
    return _from_files(study(name, dataset, file_hash(table), [path for path in files if path.exists()]), table)


def _from_files(run: Run, path: Path) -> Run:
    run.tags |= _commit(path)
    run.from_files = True
    return run


def _histories(metrics: Path, identities: Mapping[int, str]) -> dict[int, History]:
    """From the archive of trainings where they are known, or else from the curves."""
    found: dict[int, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for point in read_table(metrics / CURVES, CurvePoint):
        scores = {"loss": point.loss, "accuracy": point.accuracy, "macro_f1": point.macro_f1}
        found[point.seed][point.epoch] |= {f"{point.part}/{name}": value for name, value in scores.items()}
    return {
        seed: _finished(history_of(identity))
        or History("FINISHED", {epoch: Moment(scores) for epoch, scores in found[seed].items()})
        for seed, identity in identities.items()
    }


def _finished(history: History | None) -> History | None:
    return history if history and history.status == "FINISHED" else None


def _facts(info: Mapping[str, Any], identities: Mapping[int, str], metrics: Path) -> dict[str, Any]:
    from reprolab.core.config import Experiment
    from reprolab.core.entry import experiment_yaml

    experiment = Experiment.model_validate(info["experiment"])
    return {
        "name": info["name"],
        "title": info["name"],
        "dataset": experiment.dataset,
        "identities": {str(seed): identity for seed, identity in identities.items()},
        "parameters": experiment.model_dump(mode="json", exclude_none=True),
        "yaml": experiment_yaml(info["name"], experiment),
        "split": info["split"],
        "lineage": _commit(metrics / TRAIN) | _origin(list(identities.values())),
    }


def _commit(path: Path) -> dict[str, str]:
    """The commit that brought the file as it is."""
    if git("diff", "--quiet", "HEAD", "--", str(path)) is None:
        return {}
    commit = (git("log", "-1", "--format=%H", "--", str(path)) or "").strip()
    return {"mlflow.source.git.commit": commit} if commit else {}


def _origin(identities: Sequence[str]) -> dict[str, str]:
    """Hashes of what a training in the archive is made from."""
    from reprolab.training.archive import folder_of

    about = folder_of(identities[0]).about()
    return origin_tags(about.origin) if about and about.origin else {}
