"""`params.yaml` as frozen, validated types.

The whole file is checked before any work. The mistakes of all its sections are told together, each with the key's
full path, what was found and what is allowed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from reprolab.errors import InputError, choice
from reprolab.files import read_yaml
from reprolab.mistakes import choice_error, explain, told

PARAMS_FILE = Path("params.yaml")
LIBRARY = Path(__file__).parent
RESERVED = ("comparison", "costs", "studies")  # folders of metrics/ that belong to no data set
RANDOM, IMAGENET = "random", "imagenet"  # starting points of a network besides another experiment
SCIKIT_LEARN = "mlp_classifier"  # the model whose training is scikit-learn's own

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Positive = Annotated[int, Field(ge=1)]
Size = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# strict=False lets a list of YAML become a tuple; what is inside stays strict.
Means = Annotated[tuple[float, ...], Field(min_length=1, strict=False)]
Deviations = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, strict=False)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]


class Section(BaseModel):
    """A mapping of `params.yaml`: strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict) and cls.model_config["extra"] == "forbid":
            for key in data:
                if key not in cls.model_fields:
                    raise choice_error("unknown key", key, cls.model_fields)
        return data


class Component(Section):
    """The name of a module (`models/<name>.py`, `data/sources/<name>.py`) and options for it."""

    model_config = ConfigDict(extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Source(Component):
    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_module(name, "data/sources")


class Model(Component):
    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_module(name, "models")


class SplitConfig(Section):
    """Sizes of the parts: a share below 1, or a whole number of examples. Without `test` the published test part is
    taken; without `train` all that is left. `balanced` makes counts the same for every class."""

    test: Size | None = None
    validation: Size
    train: Positive | None = None
    balanced: bool = False
    seed: Seed

    @field_validator("test", "validation")
    @classmethod
    def _share_or_count(cls, size: float | None) -> float | None:
        if size is not None and size >= 1 and size != int(size):
            raise PydanticCustomError("share", "should be a share below 1 or a whole number of examples")
        return size

    @model_validator(mode="after")
    def _count_to_balance(self) -> Self:
        if self.balanced and self.train is None and self.validation < 1 and (self.test or 0) < 1:
            raise PydanticCustomError(
                "balance", "should hold a count, since balanced is true and does not touch shares"
            )
        return self


class Dataset(Section):
    source: Source
    split: SplitConfig


class Input(Section):
    """How a stored example becomes the network's input. `channels` repeats a grey image's one channel."""

    size: Positive | None = None
    channels: Literal[3] | None = None
    mean: Means | None = None
    std: Deviations | None = None
    crop_padding: Annotated[int, Field(ge=0)] = 0
    flip: bool = False

    @model_validator(mode="after")
    def _both_statistics(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise PydanticCustomError("pair", "should have both mean and std, or neither")
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise PydanticCustomError("pair", "mean and std should have one number a channel each")
        return self


class Sgd(Section):
    name: Literal["sgd"]
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Adam(Section):
    name: Literal["adam"]
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class StepSchedule(Section):
    """The learning rate times `factor` after every `every` epochs."""

    name: Literal["step"]
    every: Positive
    factor: Annotated[float, Field(gt=0)]


class OneCycleSchedule(Section):
    """Up to the optimizer's `lr` during the first `warmup` of all steps, then down (Smith & Topin 2018)."""

    name: Literal["one-cycle"]
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3


class Training(Section):
    data: Literal["train", "train+validation"] = "train"
    epochs: Positive
    batch_size: Positive
    optimizer: Annotated[Sgd | Adam, Field(discriminator="name")]
    schedule: Annotated[StepSchedule | OneCycleSchedule, Field(discriminator="name")] | None = None
    loss: Literal["cross-entropy", "perceptron"] = "cross-entropy"
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
    """`init_from` is "random", "imagenet" or an experiment whose weights, all but the head's, are the start."""

    dataset: Name
    model: Model
    init_from: Name
    freeze: Literal["none", "all-but-head"] | AllButLast = "none"
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
            raise told("freeze needs weights that are trained already, but init_from is 'random'")
        return self

    @model_validator(mode="after")
    def _what_scikit_learn_can(self) -> Self:
        refused = {
            f"init_from '{self.init_from}'": self.init_from != RANDOM,
            "input.crop_padding": self.input.crop_padding > 0,
            "input.flip": self.input.flip,
            "training.schedule": self.training.schedule is not None,
            f"training.loss '{self.training.loss}'": self.training.loss != "cross-entropy",
        }
        if self.model.name == SCIKIT_LEARN and any(refused.values()):
            found = ", ".join(name for name, given in refused.items() if given)
            raise told(f"scikit-learn's mlp_classifier knows no {found}; leave it out, or choose the model mlp")
        return self


class Study(Section):
    """Experiments of one data set whose curves stand side by side."""

    title: str
    dataset: Name
    experiments: Names

    @field_validator("experiments")
    @classmethod
    def _different_experiments(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise PydanticCustomError("repeated", "should hold different experiments")
        return names


class Params(Section):
    datasets: dict[Name, Dataset]
    experiments: dict[Name, Experiment]
    studies: dict[Name, Study] = {}

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for kind, names, reserved in (
            ("datasets", self.datasets, RESERVED),
            ("experiments", self.experiments, (RANDOM, IMAGENET)),
        ):
            if taken := set(names) & set(reserved):
                raise told(f"{kind}.{taken.pop()}: this name has a meaning of its own; choose another")
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            if experiment.dataset not in self.datasets:
                raise choice_error(f"{where}.dataset: unknown data set", experiment.dataset, self.datasets)
            starts = [RANDOM, IMAGENET, *(other for other in self.experiments if other != name)]
            if experiment.init_from not in starts:
                raise choice_error(f"{where}.init_from: unknown start", experiment.init_from, starts)
        for name, study in self.studies.items():
            where = f"studies.{name}"
            if study.dataset not in self.datasets:
                raise choice_error(f"{where}.dataset: unknown data set", study.dataset, self.datasets)
            for member in study.experiments:
                if member not in (known := self.experiments_of(study.dataset)):
                    raise choice_error(f"{where}.experiments: no experiment of {study.dataset}", member, known)
        return self

    @model_validator(mode="after")
    def _first_starts(self) -> Self:
        for name in self.experiments:
            path = [name]
            while (start := self.experiments[path[-1]].init_from) in self.experiments:
                if start in path:
                    circle = " from ".join([*path[path.index(start) :], start])
                    raise told(f"experiments.{start}.init_from: a circle, {circle}; start one of them elsewhere")
                path.append(start)
        return self

    def dataset(self, name: str) -> Dataset:
        if name not in self.datasets:
            raise InputError(choice(f"{PARAMS_FILE}: unknown data set", name, self.datasets))
        return self.datasets[name]

    def experiment(self, name: str) -> Experiment:
        if name not in self.experiments:
            raise InputError(choice(f"{PARAMS_FILE}: unknown experiment", name, self.experiments))
        return self.experiments[name]

    def study(self, name: str) -> Study:
        if name not in self.studies:
            raise InputError(choice(f"{PARAMS_FILE}: unknown study", name, self.studies))
        return self.studies[name]

    def experiments_of(self, dataset: str) -> list[str]:
        return [name for name, experiment in self.experiments.items() if experiment.dataset == dataset]


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file. Raises `InputError` with a line for each section's mistakes."""
    data = read_yaml(path)
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        problems = "".join(f"\n  {explain(detail, data)}" for detail in error.errors())
        raise InputError(f"{path} has {error.error_count()} mistake(s):{problems}") from None


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def module_names(folder: str) -> list[str]:
    """Names of the modules in a folder of the library; a module's file name is its name in `params.yaml`."""
    return sorted(path.stem for path in (LIBRARY / folder).glob("*.py") if path.stem != "__init__")


def _known_module(name: str, folder: str) -> str:
    known = module_names(folder)
    if name not in known:
        raise choice_error("unknown name", name, known)
    return name
