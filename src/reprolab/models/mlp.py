"""Multi-layer perceptron: flattened pixels, hidden layers with ReLU, logits (Rumelhart et al. 1986)."""

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import Field
from torch import nn

Widths = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


def build(shape: tuple[int, int, int], classes: int, *, hidden: Widths) -> nn.Module:
    """`hidden` lists the widths of the hidden layers; [512, 512] on 28×28 has 669,706 parameters."""
    widths = [prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))
