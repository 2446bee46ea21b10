"""Networks by name: the architecture that `params.yaml` names, built for the data."""

import inspect
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import nn

from reprolab.core.bounds import PARAMETERS
from reprolab.core.config import Experiment, Model, Params, Training
from reprolab.core.errors import InputError
from reprolab.core.layout import PARAMS
from reprolab.core.registry import option_errors, resolved
from reprolab.models.kernels import use_fast_layers

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum  # takes 1.7 s to import


@runtime_checkable
class FitsItself(Protocol):
    """A network with a training of its own, a library's or a rule, instead of the gradients of `training.loop`."""

    def fit_epoch(self, inputs: torch.Tensor, labels: torch.Tensor, training: Training, seed: int) -> bool:
        """Train on all of `inputs` (n, *shape) once; the weights are those after this epoch.

        True where the training has come to its own end, before its last epoch.
        """


def build_network(model: Model, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network that `model` names, for images (channels, height, width) or tables (features,).

    Raises `InputError` for a wrong option, or when the architecture cannot work on such inputs.
    """
    build = model.bind("model")
    try:
        if len(shape) != 3 and inspect.signature(build).parameters["shape"].annotation == tuple[int, int, int]:
            raise ValueError("it needs images (channels, height, width); for tables choose mlp")
        with torch.device("meta"):  # without its weights, which may fit no memory
            parameters = sum(parameter.numel() for parameter in build(shape, classes).parameters())
        if parameters > PARAMETERS:
            raise ValueError(
                f"it would have {parameters:,} parameters, more than {PARAMETERS:,}; choose smaller widths"
            )
        network = build(shape, classes)
    except ValueError as error:
        raise InputError(f"model '{model.name}' cannot be built for inputs of shape {shape}: {error}") from None
    assert isinstance(network, nn.Module)
    use_fast_layers(network)
    return network


def resolve_experiment(experiment: Experiment, where: str) -> Experiment:
    """The experiment with the defaults of all its options filled in.

    Raises `InputError`, with the keys below `where`, when options are wrong, or when the architecture cannot be trained
    by these settings.
    """
    if errors := option_errors(experiment, where):
        raise InputError("\n  ".join(errors))
    found = resolved(experiment, where)
    if check := getattr(experiment.model.module(), "check", None):
        try:
            check(found)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None
    return found


def resolve_experiments(params: Params) -> dict[str, Experiment]:
    """Every experiment as `resolve_experiment` gives it. Raises `InputError` with a line for each error."""
    found: dict[str, Experiment] = {}
    errors: list[str] = []
    for name, experiment in params.experiments.items():
        try:
            found[name] = resolve_experiment(experiment, f"experiments.{name}")
        except InputError as error:
            errors += str(error).split("\n  ")
    if errors:
        raise InputError("\n  ".join([f"{PARAMS} has {len(errors)} error(s):", *errors]))
    return found


def imagenet_weights(model: Model) -> "WeightsEnum":
    """torchvision's entry for the ImageNet weights of `model`; nothing is downloaded.

    Raises `InputError` when there are none for this architecture, or none for these options.
    """
    options = model.resolved("model").options
    remedy = "or set init_from: random"
    imagenet = getattr(model.module(), "imagenet", None)
    if imagenet is None:
        others = [Model(name=name) for name in Model.names()]
        allowed = ", ".join(other.name for other in others if hasattr(other.module(), "imagenet"))
        raise InputError(f"model.name: '{model.name}' has no ImageNet weights; allowed: {allowed}; {remedy}")
    try:
        return imagenet(**options)
    except ValueError as error:
        raise InputError(f"model.{error}; {remedy}") from None
