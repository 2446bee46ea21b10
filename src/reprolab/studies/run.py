"""Run a study: its trainings side by side on the cores there are, and what each of them came to."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.progress import progress_bar
from reprolab.core.study import Settings, Study
from reprolab.data.parts import TrainingData
from reprolab.models.classifier import build_classifier
from reprolab.studies.data import Cut
from reprolab.studies.plan import Plan
from reprolab.studies.prefixes import chains
from reprolab.studies.record import TrialRow, shown_settings
from reprolab.studies.space import all_points, experiment_at, suggested
from reprolab.studies.trials import Outcome, Pruning, Trial, open_storage, run_trials
from reprolab.training.device import ALL_THREADS, choose_device

JOBS_VARIABLE = "REPROLAB_JOBS"

Result = tuple[Trial, Outcome]


@dataclass(frozen=True)
class Task:
    """What one process does at a time: chains of trials, and for Optuna the trial that they are."""

    chains: list[list[Trial]]
    asked: Any = None
    pruning: Pruning | None = None


@dataclass
class Progress:
    """The best mean of a point so far."""

    study: Study
    scores: dict[int, list[float]] = field(default_factory=dict)

    def add(self, results: Iterable[Result]) -> None:
        for trial, outcome in results:
            if outcome.state == "finished":
                self.scores.setdefault(trial.point, []).append(objective_of(self.study, outcome))

    def best(self) -> str:
        means = [fmean(scores) for scores in self.scores.values()]
        return f"{(max if self.study.maximizes else min)(means):.4f}" if means else "none"


def run_study(name: str, study: Study, base: Experiment, data: TrainingData, plan: Plan) -> list[Result]:
    """The trials by point, seed and fold, and their outcomes.

    As many at once as `REPROLAB_JOBS` says, or as the cores and each training's threads allow; the outcomes do not
    depend on it but for a search that learns from them. Raises `InputError` where every trial fails.
    """
    source = _Sampled(name, study, base, plan) if plan.sampler else _Listed(name, study, base, data, plan)
    progress = Progress(study)
    results: list[Result] = []
    with source, progress_bar(name, source.total, "trainings") as bar:
        for task, found in _side_by_side(name, source, data, plan, study.objective, jobs(study, base, data, plan)):
            source.tell(task, found)
            results += found
            progress.add(found)
            bar.update(len(found))
            bar.set_postfix(best=progress.best())
    results += source.refused
    results.sort(key=lambda result: (result[0].point, source.place(result[0])))
    if all(outcome.state == "failed" for _, outcome in results):
        raise InputError(f"every training of the study '{name}' failed, the first one so: {results[0][1].reason}")
    return results


def objective_of(study: Study, outcome: Outcome) -> float:
    assert outcome.best and outcome.best.validation
    value: float = getattr(outcome.best.validation, study.objective.removeprefix("validation_"))
    return value


def jobs(study: Study, base: Experiment, data: TrainingData, plan: Plan) -> int:
    """How many trainings at once. Raises `InputError` for a `REPROLAB_JOBS` that is no number."""
    found = os.environ.get(JOBS_VARIABLE)
    if found:
        if not (found.isdecimal() and 1 <= int(found) <= 1024):
            raise InputError(f"{JOBS_VARIABLE}: found '{found}'; it should be a whole number from 1 to 1024")
        return int(found)
    experiments = [base] if plan.sampler else [experiment_at(base, point, "space") for point in all_points(study)]
    devices = []
    for experiment in {(found.model, found.input): found for found in experiments}.values():
        try:
            classifier = build_classifier(experiment, data.info)
        except InputError:  # its trainings fail by themselves
            continue
        devices.append(choose_device(classifier, data.info))
    if any(device.name != "cpu" for device in devices):
        return 1  # they would share one device
    return max(1, ALL_THREADS // max((device.threads for device in devices), default=1))


def _side_by_side(
    name: str, tasks: Iterable[Task], data: TrainingData, plan: Plan, objective: str, count: int
) -> Iterator[tuple[Task, list[Result]]]:
    """As they end. Whatever ends this ends the processes too."""
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    plan_of_data = Plan(folds=plan.folds, fold_seed=plan.fold_seed)
    # Arrays are memory-mapped, one copy for all processes. Each would otherwise get a share of the threads, by which a
    # training's numbers would depend on how many run at once.
    with parallel_config("loky", inner_max_num_threads=ALL_THREADS) if count > 1 else _nothing():
        parallel = Parallel(
            count, return_as="generator_unordered", pre_dispatch=count, batch_size=1, mmap_mode="c", max_nbytes="1M"
        )
        try:
            yield from parallel(delayed(_run_task)(name, task, data, plan_of_data, objective) for task in tasks)
        except BaseException:
            if count > 1:
                get_reusable_executor().shutdown(wait=False, kill_workers=True)
            raise


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _run_task(name: str, task: Task, data: TrainingData, plan: Plan, objective: str) -> tuple[Task, list[Result]]:
    results: list[Result] = []
    for chain in task.chains:
        outcomes = run_trials(name, chain, data, plan, objective, task.pruning)
        results += zip(chain, outcomes, strict=True)
    return task, results


class _Source:
    """The tasks of a study; `refused` are points that the experiment does not take."""

    total: int

    def __init__(self, name: str, study: Study, base: Experiment, plan: Plan) -> None:
        self.name, self.study, self.base, self.plan = name, study, base, plan
        self.refused: list[Result] = []
        self.cuts = [
            *(Cut(fold=fold) for fold in range(1, plan.folds + 1)),
            *(Cut(share=share) for share in plan.shares),
        ] or [Cut()]
        self.seeds = seeds_of(base, plan.seeds)

    def __enter__(self) -> "_Source":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Task]:
        raise NotImplementedError

    def place(self, trial: Trial) -> tuple[int, int]:
        return self.seeds.index(trial.seed), self.cuts.index(trial.cut)

    def tell(self, task: Task, results: Sequence[Result]) -> None:
        pass

    def trials(self, point: int, settings: Settings) -> list[Trial]:
        """Of one point; shares of contamination are points of their own."""
        experiment = experiment_at(self.base, settings, f"studies.{self.name}.space")
        found = []
        for seed in self.seeds:
            training = experiment.training.model_copy(update={"seeds": (seed,)})
            for place, cut in enumerate(self.cuts):
                number = point * len(self.plan.shares) + place if self.plan.shares else point
                own = experiment.model_copy(update={"training": training})
                found.append(Trial(number, settings, own, seed, cut))
        return found


class _Listed(_Source):
    """Every point."""

    def __init__(self, name: str, study: Study, base: Experiment, data: TrainingData, plan: Plan) -> None:
        super().__init__(name, study, base, plan)
        points = enumerate(all_points(study))
        self.tasks = [
            Task([chain]) for chain in chains((trial for point in points for trial in self.trials(*point)), data.info)
        ]
        self.total = sum(len(task.chains[0]) for task in self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)


class _Sampled(_Source):
    """Points that Optuna's sampler draws, each once the processes are free for it."""

    def __init__(self, name: str, study: Study, base: Experiment, plan: Plan) -> None:
        super().__init__(name, study, base, plan)
        assert plan.points
        self.points = plan.points
        self.total = plan.points * len(self.seeds)

    def __enter__(self) -> "_Source":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.folder = tempfile.TemporaryDirectory(prefix="reprolab-study-")
        self.storage = Path(self.folder.name) / "journal"
        self.optuna: optuna.Study = optuna.create_study(
            study_name=self.name,
            # What other processes look at when they prune.
            storage=open_storage(self.storage) if self.plan.pruner else None,
            sampler=self.plan.sampler,
            pruner=self.plan.pruner,
            direction="maximize" if self.study.maximizes else "minimize",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()

    def __iter__(self) -> Iterator[Task]:
        from optuna.trial import TrialState

        for point in range(self.points):
            asked = self.optuna.ask()
            settings = suggested(asked, self.study)
            try:
                trials = self.trials(point, settings)
            except InputError as error:
                self.optuna.tell(asked.number, state=TrialState.FAIL)
                refused = Trial(point, settings, self.base, self.seeds[0], self.cuts[0])
                self.refused.append((refused, Outcome("failed", "", reason=str(error))))
                continue
            pruning = Pruning(self.storage, self.name, asked._trial_id, self.plan.pruner) if self.plan.pruner else None
            yield Task([[trial] for trial in trials], asked.number, pruning)

    def tell(self, task: Task, results: Sequence[Result]) -> None:
        from optuna.trial import TrialState

        states = {outcome.state for _, outcome in results}
        if states == {"finished"}:
            self.optuna.tell(task.asked, fmean(objective_of(self.study, outcome) for _, outcome in results))
        else:
            self.optuna.tell(task.asked, state=TrialState.FAIL if "failed" in states else TrialState.PRUNED)


def seeds_of(experiment: Experiment, seeds: int | Sequence[int]) -> list[int]:
    """These, or so many: the experiment's own first, then those after the highest."""
    if not isinstance(seeds, int):
        return list(seeds)
    own = list(experiment.training.seeds)
    return [*own, *range(max(own) + 1, max(own) + 1 + seeds)][:seeds]


def rows_of(results: Sequence[Result]) -> list[TrialRow]:
    return [
        TrialRow(
            point=trial.point,
            settings=shown_settings(trial.settings),
            seed=trial.seed,
            fold=trial.cut.fold,
            share=trial.cut.share,
            state=outcome.state,
            best_epoch=outcome.best.number if outcome.best else None,
            train_loss=outcome.best.train.loss if outcome.best else None,
            train_accuracy=outcome.best.train.accuracy if outcome.best else None,
            **_validation(outcome),
            clean_accuracy=outcome.clean_accuracy,
            identity=outcome.identity,
            reason=outcome.reason,
        )
        for trial, outcome in results
    ]


def _validation(outcome: Outcome) -> dict[str, float | None]:
    scores = outcome.best.validation if outcome.best else None
    names = ("loss", "accuracy", "macro_f1")
    return {f"validation_{name}": getattr(scores, name) if scores else None for name in names}
