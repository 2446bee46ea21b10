"""`params.yaml` as frozen, validated types.

The whole file is checked before any work. The errors of all its sections are reported together, each with the key's
full path, what was found and what is allowed. The options of what is named (models, optimizers …) are checked by
`core.registry.resolved`, which imports it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from reprolab.core.bounds import (
    BatchSize,
    Deviation,
    Epochs,
    Examples,
    Margin,
    Mean,
    Pixels,
    Positive,
    Seed,
    Seeds,
    Size,
)
from reprolab.core.comparison import Comparison, Contrast
from reprolab.core.errors import InputError, choice
from reprolab.core.files import read_yaml
from reprolab.core.layout import COMPARISONS, CONTRASTS, COSTS, DATA_FIGURES, PARAMS, STUDIES
from reprolab.core.names import Name
from reprolab.core.registry import Component
from reprolab.core.study import Study
from reprolab.core.validation import Section, choice_error, complete_error, explain

RANDOM, IMAGENET = "random", "imagenet"  # starting points of a network besides another experiment
RESERVED = (RANDOM, IMAGENET, DATA_FIGURES.name)  # so no experiment may bear these names

# strict=False lets a list of YAML become a tuple; what is inside stays strict.
Means = Annotated[tuple[Mean, ...], Field(min_length=1, strict=False)]
Deviations = Annotated[tuple[Deviation, ...], Field(min_length=1, strict=False)]

T = TypeVar("T")


class Source(Component):
    folder = "sources"
    function = "load"


class Model(Component):
    folder = "architectures"


class Optimizer(Component):
    folder = "training/optimizers"


class Schedule(Component):
    folder = "training/schedules"


class Loss(Component):
    folder = "training/losses"


class SplitConfig(Section):
    """Sizes of the parts: a share below 1, or a whole number of examples. Without `test` the published test part is
    taken, without `validation` there is no such part, and without `train` all that is left is trained on. Parts are
    `stratified`; `balanced` makes counts the same for every class."""

    test: Size | None = None
    validation: Size | None = None
    train: Examples | None = None
    balanced: bool = False
    stratified: bool = True
    seed: Seed

    @field_validator("test", "validation")
    @classmethod
    def _share_or_count(cls, size: float | None) -> float | None:
        if size is not None and size >= 1 and size != int(size):
            raise PydanticCustomError("share", "should be a share below 1 or a whole number of examples")
        return size

    @model_validator(mode="after")
    def _count_to_balance(self) -> Self:
        if self.balanced and self.train is None and (self.validation or 0) < 1 and (self.test or 0) < 1:
            raise PydanticCustomError(
                "balance", "should hold a count, since balanced is true and does not touch shares"
            )
        if self.balanced and not self.stratified:
            raise PydanticCustomError("balance", "should not have stratified: false beside balanced: true; choose one")
        return self


class Dataset(Section):
    source: Source
    split: SplitConfig


class Input(Section):
    """How a stored example becomes the network's input. `channels` repeats a grey image's one channel."""

    size: Pixels | None = None
    channels: Literal[3] | None = None
    mean: Means | None = None
    std: Deviations | None = None
    crop_padding: Margin = 0
    flip: bool = False

    @model_validator(mode="after")
    def _both_statistics(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise PydanticCustomError("pair", "should have both mean and std, or neither")
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise PydanticCustomError("pair", "mean and std should have one number a channel each")
        return self


class Training(Section):
    """The best epoch's weights on the validation part are the result, or with `keep: last` the last epoch's."""

    data: Literal["train", "train+validation"] = "train"
    keep: Literal["last"] | None = None
    epochs: Epochs
    batch_size: BatchSize
    optimizer: Optimizer
    schedule: Schedule = Schedule(name="constant")
    loss: Loss = Loss(name="cross_entropy")
    snapshots: bool = False
    seeds: Seeds

    @field_validator("seeds")
    @classmethod
    def _different_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise PydanticCustomError("repeated", "should hold different seeds")
        return seeds


class AllButLast(Section):
    """Freeze every layer but the last ones; a layer is a module with weights, and the head is not counted."""

    all_but_last: Positive


class Experiment(Section):
    """`init_from` is "random", "imagenet" or an experiment whose weights, all but the head's, are the start.

    Frozen layers may keep the statistics of their batch normalisation, or let them adapt to the new data.
    """

    dataset: Name
    model: Model
    init_from: Name
    freeze: Literal["none", "all-but-head"] | AllButLast = "none"
    frozen_statistics: Literal["kept", "adapting"] = "kept"
    input: Input
    training: Training

    @field_validator("init_from", "freeze", mode="wrap")
    @classmethod
    def _in_one_sentence(cls, value: Any, check: ValidatorFunctionWrapHandler, field: ValidationInfo) -> Any:
        allowed = {
            "init_from": "'random', 'imagenet' or the name of an experiment",
            "freeze": "'none', 'all-but-head' or {all_but_last: n} with n from 1 on",
        }
        try:
            return check(value)
        except ValidationError:
            raise PydanticCustomError(
                "form", "should be {allowed}", {"allowed": allowed[str(field.field_name)]}
            ) from None

    @model_validator(mode="after")
    def _something_to_keep(self) -> Self:
        if self.freeze != "none" and self.init_from == RANDOM:
            raise complete_error("freeze needs weights that are trained already, but init_from is 'random'")
        if self.frozen_statistics != "kept" and self.freeze == "none":
            raise complete_error("frozen_statistics is 'adapting', but freeze is 'none': freeze layers, or remove it")
        return self


class Params(Section):
    datasets: dict[Name, Dataset]
    experiments: dict[Name, Experiment]
    comparisons: dict[Name, Comparison]
    studies: dict[Name, Study]
    contrasts: dict[Name, Contrast]

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for kind, names, reserved in (
            ("datasets", self.datasets, tuple(folder.name for folder in (COMPARISONS, COSTS, STUDIES, CONTRASTS))),
            ("experiments", self.experiments, RESERVED),
        ):
            if taken := set(names) & set(reserved):
                raise complete_error(f"{kind}.{taken.pop()}: this name has a meaning of its own; choose another")
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            if experiment.dataset not in self.datasets:
                raise choice_error(f"{where}.dataset: unknown data set", experiment.dataset, self.datasets)
            starts = [RANDOM, IMAGENET, *(other for other in self.experiments if other != name)]
            if experiment.init_from not in starts:
                raise choice_error(f"{where}.init_from: unknown start", experiment.init_from, starts)
        for name, comparison in self.comparisons.items():
            where = f"comparisons.{name}"
            if comparison.dataset not in self.datasets:
                raise choice_error(f"{where}.dataset: unknown data set", comparison.dataset, self.datasets)
            known = self.experiments_of(comparison.dataset)
            if not known:
                raise complete_error(f"{where}: no experiment has `dataset: {comparison.dataset}`; add one to compare")
            for member in comparison.experiments or ():
                if member not in known:
                    raise choice_error(f"{where}.experiments: no experiment of {comparison.dataset}", member, known)
        return self

    @model_validator(mode="after")
    def _known_studies(self) -> Self:
        for name, study in self.studies.items():
            where = f"studies.{name}"
            if study.dataset not in self.datasets:
                raise choice_error(f"{where}.dataset: unknown data set", study.dataset, self.datasets)
            if study.of not in (known := self.experiments_of(study.dataset)):
                raise choice_error(f"{where}.of: no experiment of {study.dataset}", study.of, known)
            if (start := self.experiments[study.of].init_from) != RANDOM:
                raise complete_error(
                    f"{where}.of: '{study.of}' starts from '{start}', and a study from random weights; choose another"
                )
        for name, contrast in self.contrasts.items():
            for key, member in contrast:
                if key != "title" and member not in self.studies:
                    raise choice_error(f"contrasts.{name}.{key}: unknown study", member, self.studies)
        return self

    @model_validator(mode="after")
    def _first_starts(self) -> Self:
        for name in self.experiments:
            path = [name]
            while (start := self.experiments[path[-1]].init_from) in self.experiments:
                if start in path:
                    circle = " from ".join([*path[path.index(start) :], start])
                    raise complete_error(
                        f"experiments.{start}.init_from: a circle, {circle}; start one of them elsewhere"
                    )
                path.append(start)
        return self

    def dataset(self, name: str) -> Dataset:
        return _entry("data set", name, self.datasets)

    def experiment(self, name: str) -> Experiment:
        return _entry("experiment", name, self.experiments)

    def comparison(self, name: str) -> Comparison:
        return _entry("comparison", name, self.comparisons)

    def study(self, name: str) -> Study:
        return _entry("study", name, self.studies)

    def contrast(self, name: str) -> Contrast:
        return _entry("contrast", name, self.contrasts)

    def experiments_of(self, dataset: str) -> list[str]:
        return [name for name, experiment in self.experiments.items() if experiment.dataset == dataset]

    def compared(self, comparison: Comparison) -> list[str]:
        """Names of the experiments that a comparison sets side by side."""
        return list(comparison.experiments or self.experiments_of(comparison.dataset))


def load_params(path: Path = PARAMS) -> Params:
    """Read and check the whole file. Raises `InputError` with a line for each error."""
    data = read_yaml(path)
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        problems = "".join(f"\n  {line}" for line in explain(error, data))
        raise InputError(f"{path} has {error.error_count()} error(s):{problems}") from None


def _entry(kind: str, name: str, entries: dict[str, T]) -> T:
    if name not in entries:
        raise InputError(choice(f"{PARAMS}: unknown {kind}", name, entries))
    return entries[name]
