"""The one way into MLflow: have a run hold what its content says, by its key and by step.

What is there already stays, so doing it twice changes nothing, and what was cut off is completed by the next time.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from reprolab.core.files import file_hash
from reprolab.core.secrets import cleaned
from reprolab.tracking.content import ERROR, IDENTITY, STAGE, Curves, Run
from reprolab.tracking.models import log_model
from reprolab.tracking.store import NOTE, Store, StoreError
from reprolab.training.history import CLOCKS
from reprolab.training.identity import hash_of

PARENT, DIGEST, FILES, TRAINED_IN = "mlflow.parentRunId", "reprolab.content", "reprolab.files", "reprolab.trained_in"
BATCH = 900  # MLflow takes a thousand at once, parameters and tags among them
FILE_SECONDS = 60.0


class Publisher:
    """Of one store. It remembers the steps that MLflow has, so that a run that trains is not read again and again."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._steps: dict[tuple[str, str], dict[int, float]] = {}

    def publish(self, run: Run) -> str:
        """The number of the run in MLflow. Raises `StoreError`."""
        with self.store.alone():
            return self._publish(run, None)

    def is_complete(self, run: Run) -> bool:
        """Whether MLflow has all of it."""
        return any(_is_done(found, run) for found in self._candidates(run, None))

    def number(self, run: Run) -> str | None:
        """Of the run in MLflow, where it has it."""
        found = self._find(run, None)
        return str(found.info.run_id) if found else None

    def _publish(self, run: Run, parent: str | None) -> str:
        found = self._find(run, parent) or self._create(run, parent)
        number = str(found.info.run_id)
        if _is_done(found, run):
            return number
        self._log_tags(found, run)
        missing = {key: value[:6000] for key, value in run.parameters.items() if key not in found.data.params}
        for keys in _batches(list(missing)):
            self._log_batch(number, params={key: missing[key] for key in keys})
        self._log_curves(found, run.curves)
        if run.split and not found.inputs.dataset_inputs:
            self._log_data(number, run.split)
        self._log_files(found, run)
        children = [self._publish(child, number) for child in run.children]
        if parent is None:
            self._log_models(run, number, children)
        self._end(found, run)
        self._log_batch(number, tags={DIGEST: run.digest()})
        return number

    def _find(self, run: Run, parent: str | None) -> Any:
        """The oldest run with the key, none of whose numbers is another than the content's; None where there is none.

        The same training on another device has other numbers and is another run.
        """
        agreeing = (found for found in self._candidates(run, parent) if self._agrees(found, run))
        return next(agreeing, None)

    def _candidates(self, run: Run, parent: str | None) -> list[Any]:
        experiment = self.store.find_experiment(run.experiment)
        if experiment is None:
            return []
        tags = {**run.key, **({PARENT: parent} if parent else {})}
        conditions = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        return [found for found in self.store.search([experiment], conditions) if found.data.tags.get(PARENT) == parent]

    def _agrees(self, found: Any, run: Run) -> bool:
        if found.data.tags.get(DIGEST) == run.digest():
            return True
        loss = run.curves.get("train/loss")
        if not loss or "train/loss" not in found.data.metrics:
            return True
        known = self._known(found, "train/loss")
        agrees = all(known.get(step, value) == value for step, (value, _) in loss.items())
        if not agrees and found.info.status == "RUNNING":
            self.store.call("set_terminated", found.info.run_id, "KILLED")
        return agrees

    def _create(self, run: Run, parent: str | None) -> Any:
        experiment = self.store.experiment(run.experiment, run.about)
        tags = run.key | ({PARENT: parent} if parent else {})
        started = int(run.started * 1000) if run.started else None
        created = self.store.call("create_run", experiment, start_time=started, tags=tags, run_name=run.name)
        # Another machine may have made it at the same time: the first of them stays.
        twins = [twin for twin in self._candidates(run, parent) if self._agrees(twin, run)]
        first = min(twins, key=lambda twin: (twin.info.start_time, twin.info.run_id), default=created)
        if first.info.run_id != created.info.run_id:
            self.store.call("delete_run", created.info.run_id)
        return first

    def _log_tags(self, found: Any, run: Run) -> None:
        tags = {key: cleaned(value)[:5000] for key, value in {**run.tags, NOTE: run.note}.items()}
        if run.trained_in:
            conditions = f"tags.`{IDENTITY}` = '{run.trained_in}' and tags.`{STAGE}` = 'train'"
            trained = self.store.search([found.info.experiment_id], conditions)
            tags |= {TRAINED_IN: trained[0].info.run_id} if trained else {}
        self._log_batch(
            found.info.run_id, tags={key: value for key, value in tags.items() if found.data.tags.get(key) != value}
        )
        if ERROR in found.data.tags and ERROR not in run.tags:
            self.store.call("delete_tag", found.info.run_id, ERROR)

    def _log_curves(self, found: Any, curves: Curves) -> None:
        """Log the steps that are not there. A score of the result as a whole, at step 0, is logged again where it has
        changed, a moment later than the former one."""
        from mlflow.entities import Metric

        metrics = []
        for name, points in curves.items():
            known = (
                self._known(found, name)
                if name in found.data.metrics
                else self._steps.setdefault((found.info.run_id, name), {})
            )
            for step, (value, time) in points.items():
                changed = step == 0 and step in known and known[step] != value
                if step not in known or changed:
                    at = int(time * 1000) if time else int(found.info.start_time)
                    metrics.append(Metric(name, value, at + self._late(found, name) if changed else at, step))
        for batch in _batches(metrics):
            self.store.call("log_batch", found.info.run_id, metrics=batch)
            for metric in batch:
                self._steps[found.info.run_id, metric.key][metric.step] = metric.value

    def _known(self, found: Any, metric: str) -> dict[int, float]:
        key = (found.info.run_id, metric)
        if key not in self._steps:
            history = self.store.call("get_metric_history", *key)
            self._steps[key] = {entry.step: entry.value for entry in sorted(history, key=lambda entry: entry.timestamp)}
        return self._steps[key]

    def _late(self, found: Any, metric: str) -> int:
        history = self.store.call("get_metric_history", found.info.run_id, metric)
        return 1 + max(int(entry.timestamp) for entry in history) - int(found.info.start_time)

    def _log_data(self, number: str, split: dict[str, Any]) -> None:
        try:
            self.store.call("log_inputs", number, [_dataset(split)])
        except StoreError:
            # Another machine may have entered the same data set at the same moment.
            self.store.call("log_inputs", number, [_dataset(split)])

    def _log_files(self, found: Any, run: Run) -> None:
        number = found.info.run_id
        hashes = hash_of({**run.texts, **{name: file_hash(path) for name, path in run.files.items()}})
        if found.data.tags.get(FILES) == hashes:
            return
        for name, text in run.texts.items():
            self.store.call("log_text", number, text, name, seconds=FILE_SECONDS)
        for path in run.files.values():
            self.store.call("log_artifact", number, str(path), seconds=FILE_SECONDS)
        self._log_batch(number, tags={FILES: hashes})

    def _log_models(self, run: Run, number: str, children: Sequence[str]) -> None:
        """Each seed's model once; that of the best seed belongs to the parent, so that `load_model` on it works."""
        if run.model:
            log_model(self.store, run, run.model, number)
        for place, (child, child_number) in enumerate(zip(run.children, children, strict=True)):
            if child.model and place == run.best:
                log_model(self.store, run, child.model, number, also=child_number)
            elif child.model:
                log_model(self.store, child, child.model, child_number)

    def _end(self, found: Any, run: Run) -> None:
        status, ended = found.info.status, int(run.ended * 1000) if run.ended else None
        if run.status == "RUNNING":
            if status != "RUNNING":
                self.store.call("update_run", found.info.run_id, status="RUNNING")
        elif status != run.status or (ended and found.info.end_time != ended):
            self.store.call("set_terminated", found.info.run_id, run.status, ended or found.info.start_time)

    def _log_batch(self, number: str, params: dict[str, str] | None = None, tags: dict[str, str] | None = None) -> None:
        from mlflow.entities import Param, RunTag

        if params or tags:
            self.store.call(
                "log_batch",
                number,
                params=[Param(key, value) for key, value in (params or {}).items()],
                tags=[RunTag(key, value) for key, value in (tags or {}).items()],
            )


def _is_done(found: Any, run: Run) -> bool:
    """What only files tell is complete as well where a journal told more. Of clocks, which no repetition repeats, those
    of the first time stay."""
    tags, metrics = found.data.tags, found.data.metrics
    last = {
        name: points[max(points)][0] for name, points in run.curves.items() if points and not name.startswith(CLOCKS)
    }
    same = DIGEST in tags if run.from_files else tags.get(DIGEST) == run.digest()
    return bool(
        same and found.info.status == run.status and all(metrics.get(name) == value for name, value in last.items())
    )


def _dataset(split: dict[str, Any]) -> Any:
    """The data as an input of the run, which MLflow shows in a column of its own."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=split["dataset"],
        digest=hash_of(split["sha256"])[:8],
        source_type="local",
        source=json.dumps({"uri": f"data/splits/{split['dataset']}"}),
        profile=json.dumps({**split["sizes"], "classes": len(split["classes"]), "provenance": split["provenance"]}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _batches(values: list[Any]) -> Iterator[list[Any]]:
    size = 100 if values and isinstance(values[0], str) else BATCH
    for start in range(0, len(values), size):
        yield values[start : start + size]
