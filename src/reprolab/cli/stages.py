"""What DVC knows of a stage: what differs from its last result, and on which stages it waits."""

import logging
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self

from reprolab.cli.history import History
from reprolab.core.errors import InputError, did_you_mean, shown

CODE = ("src", "stages")  # folders; what else a stage depends on are data


@dataclass(frozen=True)
class ParameterChange:
    """The former and the present value; None where there is none."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Input:
    """A dependency, with DVC's hash of it in the last result and now ("" where there is none), and the stages that
    write it or what is inside."""

    path: str
    old: str
    new: str
    producers: tuple[str, ...]

    @property
    def is_code(self) -> bool:
        return PurePosixPath(self.path).parts[0] in CODE

    @property
    def is_changed(self) -> bool:
        """Of itself: one that is missing, and that a stage will make, is no change yet."""
        return self.old != self.new and not (not self.new and self.producers)


@dataclass(frozen=True)
class Stage:
    """A stage beside its last result.

    `settings` are its parameters as they are now, and `parameters` those that changed; `outputs` has the result's
    hashes by path, and `faults` what is wrong with those that are not as they were. `waits_for` names the nearest
    stages before this one that are stale by themselves.
    """

    name: str
    has_result: bool
    parameters: list[ParameterChange]
    settings: dict[str, Any]
    command: str
    inputs: list[Input]
    outputs: dict[str, str]
    faults: dict[str, str]
    waits_for: tuple[str, ...] = ()

    @property
    def changed_inputs(self) -> list[Input]:
        return [found for found in self.inputs if found.is_changed]

    @property
    def is_changed(self) -> bool:
        """Stale by itself, whatever becomes of the stages that it stands on."""
        return not self.has_result or bool(self.parameters or self.command or self.changed_inputs or self.faults)

    @property
    def is_stale(self) -> bool:
        return self.is_changed or bool(self.waits_for)


class Pipeline:
    """The stages of `dvc.yaml` in the working directory. Raises `InputError` where DVC cannot read it."""

    def __init__(self) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo  # takes a second to import

        try:
            self.repo = Repo()
            self._graph = self.repo.index.graph
            # Without the files of `dvc add`, which run nothing.
            self._stages = {stage.addressing: stage for stage in self.repo.index.stages if stage.cmd}
        except DvcException as error:
            raise InputError(f"DVC cannot read the pipeline: {error}") from None
        self.history = History(self.repo)
        self._known: dict[str, Stage] = {}
        self._writers = {f"{out.def_path}/": name for name, stage in self._stages.items() for out in stage.outs}

    def __enter__(self) -> Self:
        self._log_level = logging.getLogger("dvc").level
        logging.getLogger("dvc").setLevel(logging.CRITICAL)  # no bars for single files, nor what it would do
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logging.getLogger("dvc").setLevel(self._log_level)
        self.repo.close()

    @property
    def names(self) -> list[str]:
        """In the order of `dvc.yaml`, where a stage may stand before one that it waits for."""
        return list(self._stages)

    def targets(self, names: Collection[str]) -> list[str]:
        """The stages that `dvc repro` would take by these names. Raises `InputError` for one that it would not."""
        found: dict[str, None] = {}
        for name in names:
            stages = self._collect(name)
            if not stages:
                known = [*self._stages, *dict.fromkeys(stage.partition("@")[0] for stage in self._stages)]
                raise InputError(
                    f"no stage {shown(name)}{did_you_mean(name, known)}; `dvc stage list --name-only` prints them all"
                )
            found |= dict.fromkeys(stages)
        return list(found)

    def _collect(self, target: str) -> list[str]:
        from dvc.exceptions import DvcException

        try:
            found = self.repo.stage.collect(target) if target else []  # DVC would take nothing for everything
        except DvcException:
            return []
        return [stage.addressing for stage in found if stage.addressing in self._stages]

    def below(self, name: str) -> set[str]:
        """The stages that this one stands on, directly and through others."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = [other for other in self._before(waiting.pop()) if other not in found]
            found |= set(new)
            waiting += new
        return found

    def _before(self, name: str) -> list[str]:
        """The stages whose outputs this one depends on."""
        depended = (stage.addressing for stage in self._graph.successors(self._stages[name]))
        return [other for other in depended if other in self._stages]

    def stage(self, name: str) -> Stage:
        """Beside its result; it takes some ten milliseconds to hash what it depends on, the first time."""
        if name not in self._known:
            self._known[name] = self._compare(self._stages[name], self._waits_for(name))
        return self._known[name]

    def _waits_for(self, name: str) -> tuple[str, ...]:
        stale: set[str] = set()
        for before in self._before(name):
            found = self.stage(before)
            stale |= {found.name} if found.is_changed else set(found.waits_for)
        farther = {other for found in stale for other in self.below(found)}
        return tuple(other for other in self._stages if other in stale - farther)

    def is_in_cache(self, name: str) -> bool:
        """Whether DVC would restore the stage's outputs for the present inputs, and run nothing."""
        from dvc.stage.cache import RunCacheNotFoundError

        stage, known = self._stages[name], self.stage(name)
        if not known.has_result or known.parameters or known.command or known.changed_inputs:
            if any(not found.new for found in known.inputs):
                return False
            stage.save_deps()  # what is here, instead of what dvc.lock has; all that counted of it is in `known`
            for out in stage.outs:
                out.clear()
        try:
            self.repo.stage_cache.restore(stage, dry=True)
        except RunCacheNotFoundError:
            return False
        return True

    def _compare(self, stage: Any, waits_for: tuple[str, ...]) -> Stage:
        entry = self._lock.get(stage.name)
        former = [dependency.hash_info.value or {} for dependency in stage.params]
        present = [dependency.read_params() for dependency in stage.params]
        return Stage(
            name=stage.addressing,
            has_result=entry is not None,
            parameters=[] if entry is None else [*_parameter_changes(former, present)],
            settings={key: value for section in present for key, value in section.items()},
            command=_command_change(entry["cmd"], stage.cmd) if entry else "",
            inputs=[self._input(dependency) for dependency in stage.deps if dependency not in stage.params],
            outputs={out.def_path: out.hash_info.value for out in stage.outs},
            faults={out.def_path: fault for out in stage.outs if (fault := _fault(out))},
            waits_for=waits_for,
        )

    def _input(self, dependency: Any) -> Input:
        old = dependency.hash_info.value or ""
        new = dependency.get_hash().value if dependency.exists else ""
        return Input(dependency.def_path, old, new, self.producers(dependency.def_path))

    def producers(self, path: str) -> tuple[str, ...]:
        """The stages that write a path, or what is in it."""
        whole = f"{path}/"
        writers = self._writers.items()
        return tuple(
            dict.fromkeys(name for output, name in writers if output.startswith(whole) or whole.startswith(output))
        )

    @cached_property
    def _lock(self) -> dict[str, Any]:
        """The entries of `dvc.lock` by stage; asked for it, each stage would read the file anew."""
        from dvc.dvcfile import PROJECT_FILE, load_file

        return dict(load_file(self.repo, PROJECT_FILE).lockfile_contents.get("stages", {}))


def _fault(output: Any) -> str:
    if not output.exists:
        return "is not here"
    status = output.status().get(str(output), "")
    return {"modified": "was changed by something else"}.get(status, status and f"is {status}")


def _parameter_changes(former: list[dict[str, Any]], present: list[dict[str, Any]]) -> Iterator[ParameterChange]:
    old = {key: value for section in former for key, value in _flat(section)}
    new = {key: value for section in present for key, value in _flat(section)}
    for key in old | new:
        if old.get(key) != new.get(key):
            yield ParameterChange(key, old.get(key), new.get(key))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The values that are no mapping, by the path of their keys."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _flat(inside, f"{key}.{name}" if key else name)
    else:
        yield key, list(value) if isinstance(value, tuple) else value


def _command_change(old: str, new: str) -> str:
    """In words; empty where nothing changed."""
    before, after = shlex.split(old), shlex.split(new)
    changes = []
    for kind, start, end, from_, to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        was, is_ = shlex.join(before[start:end]), shlex.join(after[from_:to])
        if kind != "equal":
            changes.append(f"{was} → {is_}" if was and is_ else f"without {was}" if was else f"with {is_}")
    return "; ".join(changes) or ("" if old == new else "written otherwise")
