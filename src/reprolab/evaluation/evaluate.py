"""What a trained experiment scores on the test part, and the tables that say where it errs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reprolab.core.errors import InputError
from reprolab.core.layout import MODEL
from reprolab.data.parts import Part
from reprolab.evaluation.record import ClassRow, ConfusionRow, EvaluationRecord
from reprolab.models.classifier import Classifier, predict
from reprolab.models.folder import ModelInfo, load_classifier
from reprolab.training.device import choose_device
from reprolab.training.record import Scores, mean_and_deviation
from reprolab.training.scores import class_scores, confusion_matrix, score_logits


@dataclass(frozen=True)
class Evaluation:
    """`scores` of each seed, `confusion` (classes, classes): the counts of all seeds together, a row for each true
    class. `trainable` counts the parameters that are not frozen. `logits` (images, classes) are the first seed's.
    `classifiers` and `logits` lie on the CPU, whatever `device` they were computed on."""

    scores: dict[int, Scores]
    confusion: np.ndarray
    classes: list[str]
    parameters: int
    trainable: int
    images: int
    device: str
    provenance: str
    classifiers: dict[int, Classifier]
    logits: torch.Tensor

    def record(self) -> EvaluationRecord:
        return EvaluationRecord(
            **mean_and_deviation({seed: vars(scores) for seed, scores in self.scores.items()}),
            seeds=len(self.scores),
            images=self.images,
            parameters=self.parameters,
            trainable_parameters=self.trainable,
            device=self.device,
            provenance=self.provenance,
        )

    def class_rows(self) -> list[ClassRow]:
        """The scores of each class, and how many test images it has."""
        columns = class_scores(self.confusion)
        images = self.confusion.sum(1) // len(self.scores)
        return [
            ClassRow(
                name=name,
                images=int(images[index]),
                **{column: round(float(values[index]), 6) for column, values in columns.items()},
            )
            for index, name in enumerate(self.classes)
        ]

    def confusion_rows(self) -> list[ConfusionRow]:
        return confusion_rows(self.classes, self.confusion)


def confusion_rows(classes: Sequence[str], confusion: np.ndarray) -> list[ConfusionRow]:
    """A row for each pair of classes, those of one true class together, from counts (classes, classes)."""
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    return [
        ConfusionRow(
            actual=actual, predicted=predicted, count=int(confusion[i, j]), share=round(float(shares[i, j]), 6)
        )
        for i, actual in enumerate(classes)
        for j, predicted in enumerate(classes)
    ]


def evaluate(model_folder: Path, test: Part) -> Evaluation:
    """Score every seed of a model folder on the test part.

    Raises `InputError` on a missing or damaged file, and when a network's answers are not finite.
    """
    info = ModelInfo.load(model_folder / MODEL)
    classes = info.split.classes
    scores: dict[int, Scores] = {}
    classifiers: dict[int, Classifier] = {}
    confusion = np.zeros((len(classes),) * 2, np.int64)
    answers: list[torch.Tensor] = []
    for seed in info.experiment.training.seeds:
        classifier = load_classifier(model_folder, seed)
        device = choose_device(classifier, info.split)
        device.use()
        classifier.to(device.name)
        inputs, labels = test.on(device.name)
        logits = predict(classifier, inputs)
        if not logits.isfinite().all():
            raise InputError(
                f"experiments.{info.name}: the answers of seed {seed} on the test part are not finite: lower "
                "training.optimizer.lr, or weight_decay"
            )
        scores[seed] = score_logits(logits, labels)
        predictions = logits.argmax(1).cpu().numpy()
        confusion += confusion_matrix(predictions, test.labels, len(classes))
        answers.append(logits.cpu())
        classifiers[seed] = classifier.cpu()
    return Evaluation(
        scores=scores,
        confusion=confusion,
        classes=classes,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        trainable=sum(parameter.numel() for parameter in classifier.trained_parameters()),
        images=len(test),
        device=device.name,
        provenance=info.split.provenance,
        classifiers=classifiers,
        logits=answers[0],
    )
