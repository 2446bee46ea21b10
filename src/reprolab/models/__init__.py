"""One file an architecture: its file name is its name in `params.yaml`.

Each defines `build(shape, classes, *, ...)`, which returns a freshly initialised network from float inputs
(n, *shape) to logits (n, classes). Its keyword-only parameters are the options of `params.yaml`. Where `shape` has
the type `tuple[int, int, int]` the architecture needs images (channels, height, width); with `tuple[int, ...]` it
takes tables (features,) too.

A file may define `imagenet(**options)`: the torchvision weights that fit these options, or a ValueError.
"""

import importlib
import inspect
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import nn

from reprolab.components import component_function
from reprolab.config import Component, Params, Training, module_names
from reprolab.errors import InputError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum  # takes 1.7 s to import


class Head(nn.Sequential):
    """The layers between the features and the logits, where there are several: what fine-tuning replaces."""


@runtime_checkable
class FitsItself(Protocol):
    """A network whose weights a library trains, instead of the gradients of the loop in training.py."""

    def fit_epoch(self, inputs: torch.Tensor, labels: torch.Tensor, training: Training, seed: int) -> None:
        """Train on all of `inputs` (n, *shape) once; the weights are those after this epoch."""


def build_network(model: Component, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network that `model` names, for images (channels, height, width) or tables (features,).

    Raises `InputError` for a wrong option, or when the architecture cannot work on such inputs.
    """
    build = component_function("models", "build", model, "model")
    try:
        if len(shape) != 3 and inspect.signature(build).parameters["shape"].annotation == tuple[int, int, int]:
            raise ValueError("it needs images (channels, height, width); for tables choose mlp")
        network = build(shape, classes, **model.options)
    except ValueError as error:
        raise InputError(f"model '{model.name}' cannot be built for inputs of shape {shape}: {error}") from None
    assert isinstance(network, nn.Module)
    return network


def head_of(network: nn.Module) -> nn.Module:
    """The part that makes logits of features: the network's `Head`, else its last layer with weights."""
    heads = [module for module in network.modules() if isinstance(module, Head)]
    return (heads or layers_with_weights(network))[-1]


def layers_with_weights(network: nn.Module) -> list[nn.Module]:
    """The modules that hold parameters themselves, in the order of their definition."""
    return [module for module in network.modules() if next(module.parameters(recurse=False), None) is not None]


def imagenet_weights(model: Component) -> "WeightsEnum":
    """torchvision's entry for the ImageNet weights of `model`; nothing is downloaded.

    Raises `InputError` when there are none for this architecture, or none for these options.
    """
    component_function("models", "build", model, "model")
    remedy = "or set init_from: random"
    imagenet = getattr(_module(model.name), "imagenet", None)
    if imagenet is None:
        allowed = ", ".join(name for name in module_names("models") if hasattr(_module(name), "imagenet"))
        raise InputError(f"model.name: '{model.name}' has no ImageNet weights; allowed: {allowed}; {remedy}")
    try:
        return imagenet(**model.options)
    except ValueError as error:
        raise InputError(f"model.{error}; {remedy}") from None


def check_models(params: Params) -> None:
    """Raises `InputError` for the first experiment whose model options are wrong."""
    for name, experiment in params.experiments.items():
        component_function("models", "build", experiment.model, f"experiments.{name}.model")


def _module(name: str) -> object:
    return importlib.import_module(f"reprolab.models.{name}")
