"""What a trained experiment scores on the test part, and the tables that say where it errs."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from reprolab.classifier import Classifier, load_classifier, load_info, predict
from reprolab.data.splits import Part
from reprolab.device import Device
from reprolab.scores import mean_and_deviation, score_logits


@dataclass(frozen=True)
class Evaluation:
    """`scores` of each seed (loss, accuracy, macro_f1), `confusion` (classes, classes): the counts of all seeds
    together, a row for each true class. `images_per_second` is the first seed's."""

    scores: dict[int, dict[str, float]]
    confusion: np.ndarray
    classes: list[str]
    parameters: int
    images: int
    images_per_second: float

    def summary(self) -> dict[str, Any]:
        """Means over the seeds, and with several seeds their standard deviation as `<score>_std`."""
        return {
            **mean_and_deviation(self.scores),
            "seeds": len(self.scores),
            "images": self.images,
            "parameters": self.parameters,
            "images_per_second": round(self.images_per_second),
        }

    def class_rows(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and accuracy of each class.

        Recall is the share of a class that is found, which the lab sheets call its accuracy; accuracy here is that
        of the question "this class or not?".
        """
        expected, predicted = _expand(self.confusion)
        every = np.arange(len(self.classes))
        precision, recall, f1, support = precision_recall_fscore_support(
            expected, predicted, labels=every, zero_division=0
        )
        wrong = self.confusion.sum(0) + self.confusion.sum(1) - 2 * self.confusion.diagonal()
        accuracy = 1 - wrong / self.confusion.sum()
        columns = {"precision": precision, "recall": recall, "f1": f1, "accuracy": accuracy}
        return [
            {"class": name, "images": int(support[index]) // len(self.scores)}
            | {column: round(float(values[index]), 6) for column, values in columns.items()}
            for index, name in enumerate(self.classes)
        ]

    def confusion_rows(self) -> list[dict[str, Any]]:
        """A row for each pair of classes: the count over all seeds, and its share of the true class."""
        totals = self.confusion.sum(1, keepdims=True)
        shares = self.confusion / np.maximum(totals, 1)
        return [
            {
                "actual": actual,
                "predicted": predicted,
                "count": int(self.confusion[i, j]),
                "share": round(float(shares[i, j]), 6),
            }
            for i, actual in enumerate(self.classes)
            for j, predicted in enumerate(self.classes)
        ]


def evaluate(model_folder: Path, test: Part, device: Device) -> Evaluation:
    """Score every seed of a model folder on the test part. Raises `InputError` on a missing or damaged file."""
    _, experiment, split = load_info(model_folder)
    images = torch.from_numpy(test.inputs).to(device.name)
    labels = torch.from_numpy(test.labels).to(device.name)
    scores: dict[int, dict[str, float]] = {}
    confusion = np.zeros((len(split.classes),) * 2, np.int64)
    throughput = 0.0
    for seed in experiment.training.seeds:
        classifier = load_classifier(model_folder, seed).to(device.name)
        throughput = throughput or _throughput(classifier, images)
        logits = predict(classifier, images)
        scores[seed] = score_logits(logits, labels)
        predictions = logits.argmax(1).cpu().numpy()
        confusion += confusion_matrix(test.labels, predictions, labels=np.arange(len(split.classes)))
    return Evaluation(
        scores=scores,
        confusion=confusion,
        classes=split.classes,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        images=len(test),
        images_per_second=throughput,
    )


def _throughput(classifier: Classifier, images: torch.Tensor, at_least_seconds: float = 0.5) -> float:
    """Images classified per second, after one call to warm up."""
    sample = images[:2000]
    predict(classifier, sample)
    done, started = 0, perf_counter()
    while (seconds := perf_counter() - started) < at_least_seconds:
        predict(classifier, sample).cpu()
        done += len(sample)
    return done / seconds


def _expand(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted class of every counted example."""
    actual, predicted = np.indices(confusion.shape).reshape(2, -1)
    return np.repeat(actual, confusion.ravel()), np.repeat(predicted, confusion.ravel())
