"""The run of a training, put together from what is known of it: journals, or the files of its result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprolab.core.journal import Status
from reprolab.tracking.content import (
    BORN,
    COMPARISON,
    ERROR,
    EXPERIMENT,
    IDENTITY,
    MACHINE,
    PROCESS,
    SEED,
    STAGE,
    Curves,
    Evaluated,
    Model,
    Run,
)
from reprolab.tracking.lineage import flat, training_identity
from reprolab.training.history import History, Moment

TOTALS = ("seeds", "images", "parameters", "trainable_parameters")


def identities_of(facts: Mapping[str, Any]) -> dict[int, str]:
    """By seed, of the trainings that a journal's first line names."""
    return {int(seed): identity for seed, identity in facts["identities"].items()}


def assemble(
    facts: Mapping[str, Any],
    histories: Mapping[int, History],
    record: Mapping[str, Any],
    evaluated: Evaluated | None,
    weights: Mapping[int, Path],
    status: Status,
) -> Run:
    """The run of a training and those of its seeds.

    `facts` is what `recording.training_facts` gives, `record` what `train.json` has; `weights` are files.
    """
    seeds = identities_of(facts)
    name, dataset = facts["name"], facts["dataset"]
    parameters = {key: str(value) for key, value in flat(facts["parameters"]).items()}
    run = Run(
        experiment=dataset,
        about=f"Trainings on the data set {dataset}: a run each, with a child for each seed where there are several. "
        f"Comparisons are in the experiment {COMPARISON}.",
        key={IDENTITY: training_identity(seeds), STAGE: "train", EXPERIMENT: name},
        name=facts["title"],
        status=status,
        note=_training_note(facts, record, evaluated),
        tags={
            **facts["lineage"],
            "mlflow.source.name": f"train@{name}",
            "reprolab.provenance": facts["split"]["provenance"],
            **{f"reprolab.{key}": str(record[key]) for key in ("device", "precision", "threads") if key in record},
        },
        parameters=parameters,
        texts={"experiment.yaml": facts["yaml"]},
        split=facts["split"],
        trainings=list(seeds.values()),
    )
    best = dict(zip(seeds, record.get("best_epochs", []), strict=False))
    curves = {seed: _curves(history.moments) for seed, history in histories.items()}
    tests = {int(seed): scores for seed, scores in evaluated.seeds.items()} if evaluated else {}
    if len(seeds) == 1:
        run.curves = next(iter(curves.values()), {})
    else:
        finished = {seed for seed, history in histories.items() if history.status == "FINISHED"}
        run.curves = _mean_curves(curves, seeds, finished)
        run.children = [
            _seed_run(run, seed, seeds[seed], history, curves[seed], best.get(seed), tests.get(seed))
            for seed, history in histories.items()
        ]
        ranks = [_rank(histories[seed].moments.get(best.get(seed, 0))) for seed in histories]
        run.best = ranks.index(max(ranks)) if ranks else 0
    _add_scores(run.curves, _best_names(record))
    if evaluated:
        _add_evaluation(run, facts, evaluated, weights)
    return run


def comparison(
    name: str, dataset: str, identity: str, scores: Mapping[str, float], files: list[Path], stage: str = "compare"
) -> Run:
    """The run of a comparison, or of a contrast of studies, which is known by the hash of its rows."""
    return Run(
        experiment=COMPARISON,
        about="Comparisons of experiments with each other and with published figures; the trainings are in the "
        "experiment of their data set.",
        key={IDENTITY: identity, STAGE: stage, EXPERIMENT: name},
        name=name,
        status="FINISHED",
        note=f"Side by side, on {dataset}: the table is in `{name}.md`.",
        tags={"mlflow.source.name": f"{stage}@{name}"},
        parameters={"dataset": dataset},
        curves={key: {0: (value, None)} for key, value in scores.items()},
        files={path.name: path for path in files},
    )


def _seed_run(
    parent: Run,
    seed: int,
    identity: str,
    history: History,
    curves: Curves,
    best: int | None,
    test: Mapping[str, float] | None,
) -> Run:
    moment = history.moments.get(best) if best else None
    if moment:
        _add_scores(curves, {_best_name(key): value for key, value in moment.scores.items() if _is_score(key)})
    _add_scores(curves, {f"test/{key}": value for key, value in (test or {}).items()})
    process = history.process
    facts = {MACHINE: "machine", PROCESS: "process", BORN: "born"}
    return Run(
        experiment=parent.experiment,
        about=parent.about,
        key={IDENTITY: identity, STAGE: "train", EXPERIMENT: parent.key[EXPERIMENT], SEED: str(seed)},
        name=f"seed {seed}",
        status=history.status,
        note=f"Seed {seed} of {parent.name}.",
        tags={
            **(history.facts.get("lineage") or parent.tags),
            "mlflow.source.name": parent.tags["mlflow.source.name"],
            **({ERROR: history.error} if history.error else {}),
            **{tag: str(process[key]) for tag, key in facts.items() if key in process},
        },
        parameters=parent.parameters | {"training.seeds": f"[{seed}]"},
        curves=curves,
        started=history.started,
        ended=history.ended,
        split=parent.split,
        trained_in=trained if (trained := history.facts.get("run")) != parent.key[IDENTITY] else None,
    )


def _add_evaluation(run: Run, facts: Mapping[str, Any], evaluated: Evaluated, weights: Mapping[int, Path]) -> None:
    test = evaluated.test
    _add_scores(run.curves, {f"test/{key}": value for key, value in test.items() if key not in TOTALS})
    run.parameters |= {key: str(test[key]) for key in ("parameters", "trainable_parameters")}
    run.files = {path.name: path for path in evaluated.files}
    for seed, child in zip(identities_of(facts), run.children or [run], strict=True):
        if weights[seed].exists():
            identity = facts["identities"][str(seed)]
            child.model = Model(
                facts["name"], identity, facts["parameters"], facts["split"], weights[seed], evaluated.example
            )


def _curves(moments: Mapping[int, Moment]) -> Curves:
    curves: Curves = {}
    for step, moment in moments.items():
        for name, value in moment.scores.items():
            curves.setdefault(name, {})[step] = (value, moment.time)
    return curves


def _mean_curves(curves: Mapping[int, Curves], seeds: Mapping[int, str], finished: set[int]) -> Curves:
    """Of every metric over the seeds that have the step, once those that lack it have ended."""
    means: Curves = {}
    if len(curves) < len(seeds):
        return means
    for name in sorted({name for found in curves.values() for name in found}):
        for step in sorted({step for found in curves.values() for step in found.get(name, {})}):
            points = {seed: found[name][step] for seed, found in curves.items() if step in found.get(name, {})}
            if all(seed in points or seed in finished for seed in seeds):
                times = [time for _, time in points.values()]
                mean = round(sum(value for value, _ in points.values()) / len(points), 9)
                known = [time for time in times if time is not None]
                means.setdefault(name, {})[step] = (mean, max(known) if len(known) == len(times) else None)
    return means


def _add_scores(curves: Curves, scores: Mapping[str, Any]) -> None:
    for name, value in scores.items():
        if isinstance(value, int | float):
            curves[name] = {0: (float(value), None)}


def _is_score(name: str) -> bool:
    return name.startswith(("train/", "validation/")) and name != "train/learning_rate"


def _best_name(name: str) -> str:
    part, _, score = name.partition("/")
    return f"{part}/best_{score}"


def _best_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """`validation_accuracy` of train.json as `validation/best_accuracy`."""
    return {
        _best_name(key.replace("_", "/", 1)): value
        for key, value in record.items()
        if key.startswith(("train_", "validation_"))
    }


def _rank(moment: Moment | None) -> tuple[float, float]:
    scores = moment.scores if moment else {}
    return scores.get("validation/accuracy", 0.0), -scores.get("validation/loss", 0.0)


def _training_note(facts: Mapping[str, Any], record: Mapping[str, Any], evaluated: Evaluated | None) -> str:
    name, seeds = facts["name"], facts["identities"]
    lines = [f"Experiment `{name}` on the data set {facts['dataset']} ({facts['split']['provenance']})."]
    if len(seeds) > 1:
        lines.append(f"Means of {len(seeds)} seeds, each a child run; the model is that of the best by validation.")
    if "validation_accuracy" in record:
        lines.append(f"Validation accuracy at the best epoch: {record['validation_accuracy']:.4f}.")
    if evaluated:
        lines.append(f"Test accuracy: {evaluated.test['accuracy']:.4f}.")
    lines.append(f"`dvc repro evaluate@{name}` makes it again; `reprolab runs` says how to bring it back.")
    return "\n\n".join(lines)
