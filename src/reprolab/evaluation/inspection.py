"""What is inside a trained network and its answers, as arrays: misclassifications, kernels, feature maps, decisions."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from reprolab.models.classifier import Classifier, Weights, predict

ACTIVATIONS = nn.ReLU.__module__  # the module of PyTorch that defines them all
NORMALISATIONS = (nn.BatchNorm2d, nn.GroupNorm)


@dataclass(frozen=True)
class Misclassification:
    """A wrong answer: the example's index, the two classes, and the softmax of the predicted one."""

    index: int
    actual: int
    predicted: int
    confidence: float


@dataclass(frozen=True)
class FeatureMaps:
    """What one image excites in a convolution of `count` maps: the first ones (n, height, width), after the layers
    named in `after`."""

    layer: str
    after: str
    count: int
    maps: np.ndarray


def surest_misclassifications(logits: torch.Tensor, labels: np.ndarray, at_most: int) -> list[Misclassification]:
    """The most confident wrong answers first, from logits (n, classes) and labels (n,)."""
    # In float32 the confidence of many would be 1 and their order would be chance.
    confidences, predictions = (values.numpy() for values in logits.double().softmax(1).max(1))
    wrong = np.flatnonzero(predictions != labels)
    order = wrong[np.argsort(-confidences[wrong], kind="stable")][:at_most]
    return [
        Misclassification(int(index), int(labels[index]), int(predictions[index]), float(confidences[index]))
        for index in order
    ]


def has_convolutions(network: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in network.modules())


def first_kernels(network: nn.Module) -> tuple[str, np.ndarray]:
    """Name of the first convolution, and its kernels (kernels, channels, height, width)."""
    name, layer = next((name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return name, layer.weight.detach().cpu().numpy()


def feature_maps(
    classifier: Classifier, example: torch.Tensor, layers: int, maps: int
) -> tuple[int, list[FeatureMaps]]:
    """The number of convolutions, and what `example` (1, channels, height, width) excites in them.

    At most `layers` convolutions, evenly spaced with the first and the last among them, and of each the first
    `maps` maps. A normalisation and an activation that take a convolution's output are part of it. In a residual
    block such an activation may come after the shortcut has been added.
    """
    found: list[_Trace] = []
    names = {module: name for name, module in classifier.network.named_modules()}

    def follow(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            found.append(_Trace(names[module], [], output, _first(output, maps)))
        elif found and inputs and inputs[0] is found[-1].output:
            found[-1].after.append(type(module).__name__)
            found[-1].output, found[-1].maps = output, _first(output, maps)

    hooks = [module.register_forward_hook(follow) for module in names if _is_followed(module)]
    try:
        predict(classifier, example)
    finally:
        for hook in hooks:
            hook.remove()
    spaced = np.unique(np.linspace(0, len(found) - 1, min(layers, len(found))).round().astype(int))
    return len(found), [found[index].feature_maps() for index in spaced]


@dataclass
class _Trace:
    """The output of a convolution, then that of the layers that take it, and its first maps."""

    layer: str
    after: list[str]
    output: torch.Tensor
    maps: np.ndarray

    def feature_maps(self) -> FeatureMaps:
        return FeatureMaps(self.layer, " and ".join(self.after), self.output.shape[1], self.maps)


def _first(output: torch.Tensor, at_most: int) -> np.ndarray:
    # A copy: a residual block adds to its convolution's output in place.
    return output[0, :at_most].float().cpu().numpy().copy()


def _is_followed(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, *NORMALISATIONS)) or type(module).__module__ == ACTIVATIONS


def decisions(classifier: Classifier, snapshots: Sequence[Weights], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """logits[:, 1] − logits[:, 0] of each snapshot on the grid of two features, as arrays (len(y), len(x)).

    Where it is 0, the network is undecided between its two classes. Without snapshots: that of the classifier.
    """
    columns, rows = np.meshgrid(x, y)
    points = torch.from_numpy(np.stack([columns.ravel(), rows.ravel()], 1)).float()
    moving = deepcopy(classifier)
    differences = []
    for weights in snapshots or [classifier.state_dict()]:
        moving.load_state_dict(weights)
        logits = predict(moving, points)
        differences.append((logits[:, 1] - logits[:, 0]).view(len(y), len(x)).numpy())
    return differences
