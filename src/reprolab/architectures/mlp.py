"""Multi-layer perceptron: flattened inputs, hidden layers, logits (Rumelhart et al. 1986).

With no hidden layer it is a linear model, which reaches 92 % on MNIST; two layers of 512 reach 98 % in the end.
"""

from itertools import pairwise
from math import prod
from typing import Annotated, Any, Literal

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError
from torch import nn

from reprolab.core.bounds import Widths

Activation = Literal["relu", "tanh"]
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def _check_activation(value: Any) -> Any:
    """In place of pydantic's check, which would report two errors, one for each member of the union."""
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name in ACTIVATIONS for name in names):
        raise PydanticCustomError("activation", "should be relu, tanh, or a list of these, one for each hidden layer")
    return value


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    hidden: Widths,
    activation: Annotated[Activation | list[Activation], PlainValidator(_check_activation)] = "relu",
) -> nn.Module:
    """`hidden` lists the widths of the hidden layers; [512, 512] on 28×28 has 669,706 parameters."""
    activations = activation if isinstance(activation, list) else [activation] * len(hidden)
    if len(activations) != len(hidden):
        raise ValueError(
            f"activation lists {len(activations)} of them for {len(hidden)} hidden layer(s); name one for each"
        )
    widths = [prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for (inputs, outputs), name in zip(pairwise(widths), activations, strict=True):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[name]()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))
