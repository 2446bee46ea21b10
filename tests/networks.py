"""Small networks whose insides are known, and examples for them."""

import numpy as np
import torch
from torch import nn

from reprolab.models.classifier import Classifier

CLASSES = ["cat", "dog"]
# In float32 the softmax of examples 2 and 3 is 1.
LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [25.0, 0.0], [30.0, 0.0], [0.0, 3.0]])
LABELS = np.array([0, 0, 1, 1, 1])


def classifier_of(*layers: nn.Module, channels: int = 1, side: int = 8) -> Classifier:
    torch.manual_seed(0)
    return Classifier(nn.Sequential(*layers), [0.0] * channels, [1.0] * channels, (side, side), channels).eval()


def linear_classifier(weight: list[float], bias: float) -> Classifier:
    """Two features in units of 10 ± 2; the difference of the logits is weight · features + bias."""
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0], weight]))
        network.bias.copy_(torch.tensor([0.0, bias]))
    return Classifier(network, [10.0, 10.0], [2.0, 2.0])


def images(count: int, channels: int = 1, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8)
