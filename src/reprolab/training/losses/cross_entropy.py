"""Cross-entropy of the softmax, with smoothed labels where asked (Szegedy et al. 2016): PyTorch's."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from reprolab.core.bounds import Share


def build(*, label_smoothing: Share = 0.0) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """`label_smoothing` is the share of the label's 1 that goes to all classes alike."""
    return partial(F.cross_entropy, label_smoothing=label_smoothing)
