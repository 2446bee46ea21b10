"""Cross-entropy of the softmax: PyTorch's."""

from collections.abc import Callable

import torch
import torch.nn.functional as F


def build() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return F.cross_entropy
