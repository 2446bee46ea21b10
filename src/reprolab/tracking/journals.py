"""The runs that the journals tell of."""

import shutil
from collections.abc import Collection

from reprolab.core.journal import Journal, Line
from reprolab.core.layout import JOURNALS, TRAINING_WEIGHTS, repository_root, training_folder
from reprolab.tracking.assembly import assemble, comparison, identities_of
from reprolab.tracking.content import BORN, ERROR, MACHINE, PROCESS, Evaluated, Run
from reprolab.tracking.lineage import training_identity
from reprolab.tracking.recording import EXAMPLE, files_of
from reprolab.tracking.studies import study
from reprolab.training.history import history_of


def journals() -> list[Journal]:
    """Of the stages that have runs; an evaluation belongs to the run of its training."""
    return [journal for journal in _journals() if not journal.path.name.startswith("evaluate-")]


def run_of(journal: Journal) -> Run | None:
    """The run that a journal is about; None where nothing is left of it. Raises `InputError` where it is damaged."""
    lines = journal.lines()
    starts = [line for line in lines if line["event"] == "start"]
    if not starts:
        return None
    match starts[0]["stage"]:
        case "train":
            return training_run(journal, lines)
        case "evaluate":
            trained = training_journal(starts[0]["name"], starts[0]["run"])
            return run_of(trained) if trained else None
        case _:
            return result_run(journal, lines)


def training_run(journal: Journal, lines: list[Line], evaluated: Evaluated | None = None) -> Run | None:
    """Of the stage's journal and those of its trainings; None where these have been removed."""
    starts = [line for line in lines if line["event"] == "start"]
    scores = [line for line in lines if line["event"] == "scores"]
    facts, status = starts[0], journal.status()
    seeds = identities_of(facts)
    histories = {seed: history for seed, identity in seeds.items() if (history := history_of(identity))}
    if len(histories) < len(seeds) and status == "FINISHED":
        return None
    known = [history.status for history in histories.values()] == ["FINISHED"] * len(seeds)
    if known and status != "RUNNING" and any(line.get("status") == "FINISHED" for line in lines):
        status = "FINISHED"  # a repetition that broke off takes nothing away
    evaluated = evaluated or evaluation_of(facts["name"], training_identity(seeds))
    weights = {seed: training_folder(identity) / TRAINING_WEIGHTS for seed, identity in seeds.items()}
    run = assemble(facts, histories, scores[-1] if scores else {}, evaluated, weights, status)
    run.tags |= {MACHINE: starts[-1]["machine"], PROCESS: str(starts[-1]["process"]), BORN: str(starts[-1]["born"])}
    if status != "FINISHED" and (error := lines[-1].get("error")):
        run.tags[ERROR] = error
    # A stage that took its trainings over lasted a moment: what counts is when they were trained.
    begun = [history.started for history in histories.values() if history.started]
    ended = [history.ended for history in histories.values() if history.ended]
    run.started = min([facts["time"], *begun])
    if status != "RUNNING":
        trained = status == "FINISHED" and len(ended) == len(seeds)
        run.ended = max(ended) if trained else lines[-1]["time"]
    return run


def result_run(journal: Journal, lines: list[Line]) -> Run | None:
    """Of a comparison, a contrast or a study, which is known by what it wrote."""
    if len(lines) < 3:
        return None
    start, scores, end = lines[:3]
    name, dataset, identity = start["name"], start["dataset"], start["identity"]
    files = sorted(files_of(journal).glob("*"))
    if start["stage"] == "study":
        run = study(name, dataset, identity, files)
    else:
        run = comparison(name, dataset, identity, scores["scores"], files, start["stage"])
    run.tags |= {**start["lineage"], MACHINE: start["machine"]}
    if experiment := start["lineage"].get("reprolab.dvc_experiment"):
        run.name = f"{run.name} ({experiment})"
    for one in (run, *run.children):
        one.started, one.ended = start["time"], end["time"]
    return run


def evaluation_of(name: str, identity: str) -> Evaluated | None:
    """The latest evaluation of the result of a training that has a journal."""
    found = []
    for journal in _journals(f"evaluate-{name}-"):
        lines = journal.lines()
        if len(lines) == 3 and lines[0]["run"] == identity and lines[0]["name"] == name:
            found.append((lines[0]["time"], journal, lines[1]))
    if not found:
        return None
    _, journal, scores = max(found, key=lambda entry: entry[0])
    files = sorted(files_of(journal).glob("*"))
    example = next((path for path in files if path.name == EXAMPLE), None)
    return Evaluated(scores["test"], scores["seeds"], [path for path in files if path != example], example)


def training_journal(name: str, identity: str) -> Journal | None:
    """Of the stage that made or took over the result of a training."""
    for journal in _journals(f"train-{name}-"):
        first = (journal.lines() or [{}])[0]
        if first.get("name") == name and training_identity(identities_of(first)) == identity:
            return journal
    return None


def remove_journals(trainings: Collection[str]) -> None:
    """Of the stages that were about these trainings, which are removed; what MLflow has of them stays."""
    results = set()
    for journal in _journals("train-"):
        lines = journal.lines()
        if lines and not set(trainings).isdisjoint(identities_of(lines[0]).values()):
            results.add(training_identity(identities_of(lines[0])))
            journal.path.unlink()
    for journal in _journals("evaluate-"):
        if (journal.lines() or [{}])[0].get("run") in results:
            shutil.rmtree(files_of(journal), ignore_errors=True)
            journal.path.unlink()


def _journals(prefix: str = "") -> list[Journal]:
    return [Journal(path) for path in sorted((repository_root() / JOURNALS).glob(f"{prefix}*.jsonl"))]
