"""The run of a study, with a child for each of its trainings, put together from its table of trials."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from reprolab.core.errors import InputError
from reprolab.core.journal import Status
from reprolab.studies.record import Summary, TrialRow, load_rows
from reprolab.tracking.content import EXPERIMENT, IDENTITY, POINT, SEED, STAGE, STUDY, Curves, Run

STATUS: dict[str, Status] = {"finished": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
OBJECTIVE = "validation/accuracy"


def study(name: str, dataset: str, identity: str, files: Sequence[Path]) -> Run:
    """Known by the hash of its table. Raises `InputError` where that or the summary is missing or damaged."""
    by_name = {path.name: path for path in files}
    if not {f"{name}.csv", f"{name}.json"} <= by_name.keys():
        raise InputError(f"the table or the summary of the study {name} is missing: run `dvc repro -f study@{name}`")
    rows, found = load_rows(by_name[f"{name}.csv"]), Summary.load(by_name[f"{name}.json"])
    accuracies = [
        row.validation_accuracy for row in rows if row.state == "finished" and row.validation_accuracy is not None
    ]
    scores = {
        "best/objective": found.best,
        "best/objective_std": found.best_std,
        f"{OBJECTIVE}_mean": fmean(accuracies) if accuracies else None,
        f"{OBJECTIVE}_std": stdev(accuracies) if len(accuracies) > 1 else None,
        "trainings/all": found.trainings,
        "trainings/failed": found.failed,
        "trainings/pruned": found.pruned,
    }
    run = Run(
        experiment=f"{STUDY} {name}",
        about=f"The study {name}: a run, with a child for each training, which has the settings that differ.",
        key={IDENTITY: identity, STAGE: "study", EXPERIMENT: name},
        name=name,
        status="FINISHED",
        note=f"{found.trainings} trainings of {found.points} points on {dataset}: what they show is in `{name}.md`.",
        tags={"mlflow.source.name": f"study@{name}"},
        parameters={"dataset": dataset},
        curves=_curves(scores),
        files=dict(by_name),
        trainings=[row.identity for row in rows],
    )
    run.children = [_child(run, row, rows) for row in rows]
    return run


def _child(parent: Run, row: TrialRow, rows: Sequence[TrialRow]) -> Run:
    varied = {name: value for name, value in row.settings.items() if len({other.settings[name] for other in rows}) > 1}
    others = {"seed": row.seed, "fold": row.fold, "share": row.share}
    for name, value in others.items():
        if value is not None and len({getattr(other, name) for other in rows}) > 1:
            varied[name] = str(value)
    scores = {
        "validation/accuracy": row.validation_accuracy,
        "validation/loss": row.validation_loss,
        "validation/macro_f1": row.validation_macro_f1,
        "train/accuracy": row.train_accuracy,
        "train/loss_at_best": row.train_loss,
        "clean/accuracy": row.clean_accuracy,
        "best_epoch": row.best_epoch,
    }
    return Run(
        experiment=parent.experiment,
        about=parent.about,
        # A point may be refused before it has an identity, and two points may come to one training.
        key={
            IDENTITY: row.identity or f"{row.point}",
            STAGE: "study",
            EXPERIMENT: parent.key[EXPERIMENT],
            SEED: f"{row.seed}",
            POINT: f"{row.point}",
        },
        name=", ".join(f"{name} {value}" for name, value in varied.items())[:250] or f"seed {row.seed}",
        status=STATUS[row.state],
        note=row.reason,
        tags={"mlflow.source.name": parent.tags["mlflow.source.name"]},
        parameters=varied,
        curves=_curves(scores),
    )


def _curves(scores: dict[str, float | None]) -> Curves:
    return {name: {0: (float(value), None)} for name, value in scores.items() if value is not None}
