"""Scores of predictions, exact over all examples."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float((predictions == labels).mean())


def macro_f1(predictions: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Unweighted mean of the classes' F1; a class without true and predicted examples counts 0."""
    return float(f1_score(labels, predictions, labels=np.arange(classes), average="macro", zero_division=0))


def score_logits(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Cross-entropy, accuracy and macro-F1 of logits (n, classes) for labels (n,)."""
    predictions = logits.argmax(1).cpu().numpy()
    expected = labels.cpu().numpy()
    return {
        "loss": float(F.cross_entropy(logits.double(), labels)),
        "accuracy": accuracy(predictions, expected),
        "macro_f1": macro_f1(predictions, expected, logits.shape[1]),
    }


def mean_and_deviation(scores: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over the seeds; with several seeds also the sample standard deviation."""
    summary = {}
    for name in next(iter(scores.values())):
        values = np.array([score[name] for score in scores.values()])
        summary[name] = round(float(values.mean()), 6)
        if len(values) > 1:
            summary[f"{name}_std"] = round(float(values.std(ddof=1)), 6)
    return summary
