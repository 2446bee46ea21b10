"""The perceptron (Rosenblatt 1958, "The perceptron: a probabilistic model"): one neuron that separates two classes.

Its weights start at zero, and the decision is a straight line (in two dimensions). It trains itself by Rosenblatt's
rule, which ends without errors where such a line exists: one example after the other, in the order of the file.
"""

from math import prod

import torch
from torch import nn

from reprolab.core.config import RANDOM, Experiment, Training


class Perceptron(nn.Module):
    """Logits (0, z), so that class 1 is chosen where the sigmoid of z is one half or more."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.neuron = nn.Linear(features, 1)
        nn.init.zeros_(self.neuron.weight)
        nn.init.zeros_(self.neuron.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        # Whole precision everywhere: rounding to bfloat16 would move points across the line.
        with torch.autocast(inputs.device.type, enabled=False):
            z = self.neuron(inputs.flatten(1).float())
            # Of two equal logits the first would be chosen, but a tie answers 1.
            z = torch.where(z == 0, z + torch.finfo(z.dtype).tiny, z)
            return torch.cat([torch.zeros_like(z), z], 1)

    @torch.no_grad()
    def fit_epoch(self, inputs: torch.Tensor, labels: torch.Tensor, training: Training, seed: int) -> bool:
        """w ← w + rate·(target − answer)·x for each of `inputs` (n, features); no randomness, so no use of `seed`."""
        rate = training.optimizer.options["lr"]
        for example, target in zip(inputs, labels.tolist(), strict=True):
            step = rate * (target - int(self(example[None]).argmax()))
            self.neuron.weight.add_(step * example)
            self.neuron.bias.add_(step)
        return False


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A weight for each feature, and a bias."""
    if classes != 2:
        raise ValueError(f"perceptron separates two classes, found {classes}; choose mlp")
    return Perceptron(prod(shape))


def check(experiment: Experiment) -> None:
    """Raises ValueError for settings that the perceptron's rule does not know."""
    training, options = experiment.training, experiment.training.optimizer.options
    unknown = {
        f"init_from '{experiment.init_from}'": experiment.init_from != RANDOM,
        "input.crop_padding": experiment.input.crop_padding > 0,
        "input.flip": experiment.input.flip,
        f"training.batch_size {training.batch_size}": training.batch_size != 1,
        f"training.optimizer '{training.optimizer.name}'": training.optimizer.name != "sgd",
        **{f"training.optimizer.{name}": value for name, value in options.items() if name != "lr"},
        f"training.schedule '{training.schedule.name}'": training.schedule.name != "constant",
        f"training.loss '{training.loss.name}'": training.loss.name != "cross_entropy",
        "training.loss.label_smoothing": training.loss.options.get("label_smoothing"),
    }
    if any(unknown.values()):
        found = ", ".join(name for name, given in unknown.items() if given)
        raise ValueError(
            f"the perceptron's rule knows no {found}: it takes plain sgd with batch_size 1; or choose the model mlp"
        )
