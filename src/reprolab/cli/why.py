"""Say what makes a stage stale and what `dvc repro` would do, or what an up-to-date one was made from.

Parameters, code and data beside those of the last result; of a training also whether it is known, by meaning.
"""

import argparse
import math
import textwrap
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import yaml

from reprolab.cli.meaning import code_changes
from reprolab.cli.outlook import Outlook, former_modules, made, modules_of, outlooks, result_identities
from reprolab.cli.stages import Input, Pipeline, Stage
from reprolab.core.config import Experiment, Params
from reprolab.core.progress import progress_bar

TRAIN_STAGE = "train@"
WIDTH = 120

Line = tuple[str, str]  # a label, and what is to be said under it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", nargs="*", help="as `dvc repro` takes them; by default all that are stale")


def run(params: Params, stage: list[str]) -> None:
    """Raises `InputError` when there is no such stage, or DVC cannot read the pipeline."""
    with Pipeline() as pipeline:
        asked = pipeline.targets(stage) if stage else pipeline.names
        considered = {*asked, *(other for name in asked for other in pipeline.below(name))}
        stages = []
        with progress_bar("comparing stages with their results", len(considered), "stages") as bar:
            for name in pipeline.names:
                if name in considered:
                    stages.append(pipeline.stage(name))
                    bar.update()
        explanation = Explanation(params, pipeline)
        for found in stages:
            if found.is_changed or (found.name in asked and (stage or found.is_stale)):
                print(explanation.of(found), flush=True)
    if not stage:
        print(_summary(stages))


class Explanation:
    """Of stages, in text."""

    def __init__(self, params: Params, pipeline: Pipeline) -> None:
        self.params, self.pipeline = params, pipeline

    def of(self, stage: Stage) -> str:
        """A heading and the lines below it."""
        if not stage.is_stale:
            return _block(f"{stage.name}: up to date", self._origin(stage))
        if stage.has_result and not stage.is_changed:
            return f"{stage.name}: waits for {_listed(stage.waits_for)}"
        if not stage.has_result and stage.waits_for and not _is_training(stage):
            return f"{stage.name}: without a result; waits for {_listed(stage.waits_for)}"
        return _block(f"{stage.name}: {'stale' if stage.has_result else 'without a result'}", self._reasons(stage))

    def _reasons(self, stage: Stage) -> Iterator[Line]:
        if stage.has_result:
            yield from self._changes(stage)
        for path, fault in stage.faults.items() if stage.has_result else ():
            yield "output", f"{path} {fault}"
        if stage.waits_for:
            once = "; should that give the same again:" if _is_training(stage) else ""
            yield "waits for", _listed(stage.waits_for) + once
        elif self.pipeline.is_in_cache(stage.name):
            yield "DVC", "has the outputs in its cache: restores them and runs nothing"
            return
        if _is_training(stage):
            yield from _seeds(outlooks(*self._experiment(stage)))

    def _changes(self, stage: Stage) -> Iterator[Line]:
        """What is not as it was for the result; that a kind of input is unchanged where another one is changed."""
        changed = stage.changed_inputs
        if not (stage.parameters or stage.command or changed):
            return
        if stage.settings:
            texts = [f"{found.key}: {_value(found.old)} → {_value(found.new)}" for found in stage.parameters]
            yield from _lines("parameter", texts)
        if stage.command:
            yield "command", stage.command
        yield from _lines("code", [*self._code(stage, [found for found in changed if found.is_code])])
        yield from _lines("data", [self._data(found) for found in changed if not found.is_code])

    def _code(self, stage: Stage, inputs: Sequence[Input]) -> Iterator[str]:
        former: dict[str, str] = {}
        present: dict[str, str] = {}
        if inputs and _is_training(stage):
            name, experiment = self._experiment(stage)
            former, present = former_modules(result_identities(name, experiment)), modules_of(experiment)
        found = code_changes(inputs, self.pipeline.history, former, present)
        counted = [name for name in found.meaning if not present or name in present]
        others = [name for name in found.meaning if name not in counted]
        if counted:
            yield f"{_listed(counted, at_most=len(counted))} changed in meaning"
        for names, what in (
            (others, "changed in meaning, but not part of a training's identity"),
            (found.new, "added"),
            (found.removed, "removed"),
            (found.added, "added to dvc.yaml"),
            (found.unknown, "changed from what no commit has"),
            (found.harmless, "changed, but no module of it that counts in a training's identity"),
            (found.bytes_alone, "changed in bytes alone"),
        ):
            if names:
                yield f"{_listed(names)} {what}"

    def _data(self, found: Input) -> str:
        if not found.old:
            return f"{found.path} was added to dvc.yaml"
        if not found.new:
            return f"{found.path} is not here"
        former = self.pipeline.history.former(found.path, found.old)
        files = former.differing(self.pipeline.history.present(found.path)) if former else []
        writers = dict.fromkeys(name for path in files or [found.path] for name in self.pipeline.producers(path))
        inside = [path.removeprefix(f"{found.path}/") for path in files if path != found.path]
        text = f"{found.path} {found.old[:8]} → {found.new[:8]}"
        text += f": {_listed(inside)}" if inside else ""
        return text + (f", through {_listed([*writers])}" if writers else "")

    def _origin(self, stage: Stage) -> Iterator[Line]:
        """What an up-to-date stage was made from."""
        if _is_training(stage):
            name, experiment = self._experiment(stage)
            identities = result_identities(name, experiment)
            for seed, identity in zip(experiment.training.seeds, identities, strict=False):
                yield f"seed {seed}", f"{identity[:12]}, {made(identity) or 'of which nothing else is known here'}"
        for key, value in stage.settings.items():
            yield "parameters", f"{key}: {_value(value)}"
        for label, is_code in (("data", False), ("code", True)):
            parts = [f"{found.path} {found.new[:8]}" for found in stage.inputs if found.is_code == is_code]
            if parts:
                yield label, ", ".join(parts)
        commit = self.pipeline.history.commit_of(stage.name, stage.outputs)
        yield "result", str(commit) if commit else "not committed"

    @cached_property
    def _experiments(self) -> dict[str, Experiment]:
        from reprolab.models.build import resolve_experiments  # PyTorch takes a second to import

        return resolve_experiments(self.params)

    def _experiment(self, stage: Stage) -> tuple[str, Experiment]:
        name = stage.name.removeprefix(TRAIN_STAGE)
        return name, self._experiments[name]


def _summary(stages: Sequence[Stage]) -> str:
    counts = {
        "without a result": sum(not found.has_result for found in stages),
        "stale": sum(found.has_result and found.is_changed for found in stages),
        "waiting": sum(found.has_result and found.is_stale and not found.is_changed for found in stages),
        "up to date": sum(not found.is_stale for found in stages),
    }
    return f"of {len(stages)} stages: {', '.join(f'{count} {what}' for what, count in counts.items() if count)}"


def _is_training(stage: Stage) -> bool:
    return stage.name.startswith(TRAIN_STAGE)


def _seeds(found: dict[int, Outlook]) -> Iterator[Line]:
    """Seeds of which the same is to be said stand in one line."""
    for outlook in dict.fromkeys(found.values()):
        seeds = [str(seed) for seed, other in found.items() if other == outlook]
        text = outlook.fate
        if outlook.length is not None:
            each = " each" if len(seeds) > 1 else ""
            text += f": {outlook.length}{each}" if outlook.length else ", and never timed here"
        yield f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}", text


def _lines(label: str, texts: Sequence[str]) -> Iterator[Line]:
    yield from ((label, text) for text in texts or ["unchanged"])


def _listed(names: Sequence[str], at_most: int = 6) -> str:
    shown = names if len(names) <= at_most else names[: at_most - 1]
    last = f"{len(names) - len(shown)} others" if len(shown) < len(names) else ""
    *others, end = [*shown, *filter(None, [last])]
    return f"{', '.join(others)} and {end}" if others else end


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _block(heading: str, lines: Iterator[Line]) -> str:
    content = list(lines)
    width = max((len(label) for label, _ in content), default=0)
    texts = [heading]
    former = ""
    for label, text in content:
        shown, former = ("" if label == former else label), label
        texts.append(
            textwrap.fill(
                text,
                WIDTH,
                initial_indent=f"  {shown:{width}}  ",
                subsequent_indent=" " * (width + 4),
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n".join(texts)
