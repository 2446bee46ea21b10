"""What a trained experiment scores on the test part, and the tables that say where it errs."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from reprolab.classifier import Classifier, load_classifier, load_model_info, predict
from reprolab.data.splits import Part
from reprolab.device import Device
from reprolab.scores import class_scores, confusion_matrix, mean_and_deviation, score_logits


@dataclass(frozen=True)
class Evaluation:
    """`scores` of each seed (loss, accuracy, macro_f1), `confusion` (classes, classes): the counts of all seeds
    together, a row for each true class. `trainable` counts the parameters that are not frozen. `images_per_second` and
    `logits` (images, classes) are the first seed's. `classifiers` and `logits` lie on the CPU."""

    scores: dict[int, dict[str, float]]
    confusion: np.ndarray
    classes: list[str]
    parameters: int
    trainable: int
    images: int
    images_per_second: float
    classifiers: dict[int, Classifier]
    logits: torch.Tensor

    def summary(self) -> dict[str, Any]:
        """Means over the seeds, and with several seeds their standard deviation as `<score>_std`."""
        return {
            **mean_and_deviation(self.scores),
            "seeds": len(self.scores),
            "images": self.images,
            "parameters": self.parameters,
            "trainable_parameters": self.trainable,
            "images_per_second": round(self.images_per_second),
        }

    def class_rows(self) -> list[dict[str, Any]]:
        """The scores of each class, and how many test images it has."""
        columns = class_scores(self.confusion)
        images = self.confusion.sum(1) // len(self.scores)
        return [
            {"class": name, "images": int(images[index])}
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
    _, experiment, split = load_model_info(model_folder)
    inputs, labels = test.on(device.name)
    scores: dict[int, dict[str, float]] = {}
    classifiers: dict[int, Classifier] = {}
    confusion = np.zeros((len(split.classes),) * 2, np.int64)
    answers: list[torch.Tensor] = []
    throughput = 0.0
    for seed in experiment.training.seeds:
        classifier = load_classifier(model_folder, seed).to(device.name)
        throughput = throughput or _throughput(classifier, inputs)
        logits = predict(classifier, inputs)
        scores[seed] = score_logits(logits, labels)
        predictions = logits.argmax(1).cpu().numpy()
        confusion += confusion_matrix(predictions, test.labels, len(split.classes))
        answers.append(logits.cpu())
        classifiers[seed] = classifier.cpu()
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in classifier.parameters()]
    return Evaluation(
        scores=scores,
        confusion=confusion,
        classes=split.classes,
        parameters=sum(size for size, _ in sizes),
        trainable=sum(size for size, trains in sizes if trains),
        images=len(test),
        images_per_second=throughput,
        classifiers=classifiers,
        logits=answers[0],
    )


def _throughput(classifier: Classifier, inputs: torch.Tensor, at_least_seconds: float = 0.25) -> float:
    """Examples classified per second, after one call to warm up."""
    sample = inputs[:2000]
    predict(classifier, sample)
    done, started = 0, perf_counter()
    while (seconds := perf_counter() - started) < at_least_seconds:
        predict(classifier, sample).cpu()
        done += len(sample)
    return done / seconds
