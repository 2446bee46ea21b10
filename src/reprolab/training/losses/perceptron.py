"""The perceptron's loss: how far the predicted class's logit lies above the right one's, 0 where they agree.

One step of plain SGD on one example is the perceptron's rule, w ← w + rate·(target − prediction)·x (Rosenblatt 1958),
also where both logits are the same.
"""

from collections.abc import Callable

import torch


def build() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return perceptron_loss


def perceptron_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    predicted = logits.argmax(1, keepdim=True)
    return (logits.gather(1, predicted) - logits.gather(1, labels[:, None])).mean()
