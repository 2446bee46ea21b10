"""Scores of predictions, exact over all examples, from the confusion matrix.

Plain NumPy, since importing scikit-learn would cost each stage more than a second; the tests compare the two.
"""

import numpy as np
import torch
import torch.nn.functional as F

from reprolab.training.record import Scores


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): a row for each true class, a column for each predicted one."""
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 and accuracy (classes,) of each class; 0 where there is nothing to divide by.

    Recall is the share of a class that is found, which the lab sheets call its accuracy. Accuracy here is that
    of the question "this class or not?".
    """
    right = confusion.diagonal()
    actual, predicted = confusion.sum(1), confusion.sum(0)
    return {
        "precision": right / np.maximum(predicted, 1),
        "recall": right / np.maximum(actual, 1),
        "f1": 2 * right / np.maximum(actual + predicted, 1),
        "accuracy": 1 - (actual + predicted - 2 * right) / confusion.sum(),
    }


def score_logits(logits: torch.Tensor, labels: torch.Tensor) -> Scores:
    """The scores of logits (n, classes) for labels (n,), to six digits: those that the files of a result hold, so that
    what is derived from the files is what was derived from the training."""
    confusion = confusion_matrix(logits.argmax(1).cpu().numpy(), labels.cpu().numpy(), logits.shape[1])
    return Scores(
        loss=round(float(F.cross_entropy(logits.cpu().double(), labels.cpu())), 6),
        accuracy=round(float(confusion.trace() / confusion.sum()), 6),
        macro_f1=round(float(class_scores(confusion)["f1"].mean()), 6),
    )
