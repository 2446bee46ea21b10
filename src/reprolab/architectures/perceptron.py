"""The perceptron (Rosenblatt 1958, "The perceptron: a probabilistic model"): one neuron that separates two classes.

Its weights start at zero, and the decision is a straight line (in two dimensions). With `training.loss: perceptron`,
batch size 1 and plain SGD, training is Rosenblatt's rule, which ends without errors where such a line exists.
"""

from math import prod

import torch
from torch import nn


class Perceptron(nn.Module):
    """Logits (0, z), so that class 1 is chosen where the sigmoid of z is above one half."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.neuron = nn.Linear(features, 1)
        nn.init.zeros_(self.neuron.weight)
        nn.init.zeros_(self.neuron.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        # Whole precision everywhere: rounding to bfloat16 would move points across the line.
        with torch.autocast(inputs.device.type, enabled=False):
            z = self.neuron(inputs.flatten(1).float())
            return torch.cat([torch.zeros_like(z), z], 1)


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A weight for each feature, and a bias."""
    if classes != 2:
        raise ValueError(f"perceptron separates two classes, found {classes}; choose mlp")
    return Perceptron(prod(shape))
