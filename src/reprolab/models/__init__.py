"""One file an architecture: its file name is its name in `params.yaml`.

Each defines `build(shape, classes, *, ...)`, which returns a freshly initialised network from float images
(n, *shape) to logits (n, classes). Its keyword-only parameters are the options of `params.yaml`.
"""

from torch import nn

from reprolab.components import component_function
from reprolab.config import Component, Params
from reprolab.errors import InputError


def build_network(model: Component, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The network that `model` names, for images of `shape` (channels, height, width).

    Raises `InputError` for a wrong option, or when the images are too small for the architecture.
    """
    build = component_function("models", "build", model, "model")
    try:
        network = build(shape, classes, **model.options)
    except ValueError as error:
        raise InputError(f"model '{model.name}' cannot be built for images of shape {shape}: {error}") from None
    assert isinstance(network, nn.Module)
    return network


def check_models(params: Params) -> None:
    """Raises `InputError` for the first experiment whose model options are wrong."""
    for name, experiment in params.experiments.items():
        component_function("models", "build", experiment.model, f"experiments.{name}.model")
