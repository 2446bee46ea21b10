"""Scores against scikit-learn's, and their means over the seeds."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from reprolab.training.record import mean_and_deviation
from reprolab.training.scores import class_scores, confusion_matrix, score_logits

CLASSES = 5
# Which classes occur among the labels, and which among the predictions.
OCCURRENCES = {
    "all classes": ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    "a class without examples": ([0, 1, 2, 4], [0, 1, 2, 3, 4]),
    "a class never predicted": ([0, 1, 2, 3, 4], [0, 1, 2, 4]),
    "the last class in neither": ([0, 1, 2, 3], [0, 1, 2, 3]),
}


@pytest.fixture(params=OCCURRENCES)
def labels_and_predictions(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    in_labels, in_predictions = OCCURRENCES[request.param]
    generator = np.random.default_rng(0)
    return generator.choice(in_labels, 200), generator.choice(in_predictions, 200)


def test_confusion_matrix_is_that_of_scikit_learn(labels_and_predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predictions = labels_and_predictions
    expected = metrics.confusion_matrix(labels, predictions, labels=range(CLASSES))
    np.testing.assert_array_equal(confusion_matrix(predictions, labels, CLASSES), expected)


def test_class_scores_are_those_of_scikit_learn(labels_and_predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predictions = labels_and_predictions
    scores = class_scores(confusion_matrix(predictions, labels, CLASSES))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predictions, labels=range(CLASSES), zero_division=0
    )
    accuracy = [metrics.accuracy_score(labels == index, predictions == index) for index in range(CLASSES)]
    expected = {"precision": precision, "recall": recall, "f1": f1, "accuracy": accuracy}
    assert scores.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name], values, atol=1e-12, err_msg=name)


def test_score_logits_is_what_scikit_learn_says(labels_and_predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predictions = labels_and_predictions
    logits = torch.randn(len(labels), CLASSES, generator=torch.Generator().manual_seed(0))
    logits[torch.arange(len(labels)), torch.from_numpy(predictions)] += 10
    scores = score_logits(logits, torch.from_numpy(labels))
    probabilities = logits.double().softmax(1).numpy()
    assert vars(scores) == pytest.approx(
        {
            "loss": metrics.log_loss(labels, probabilities, labels=range(CLASSES)),
            "accuracy": metrics.accuracy_score(labels, predictions),
            "macro_f1": metrics.f1_score(labels, predictions, labels=range(CLASSES), average="macro", zero_division=0),
        },
        rel=0,
        abs=5.1e-7,
    )
    assert all(value == round(value, 6) for value in vars(scores).values())


def test_one_seed_has_no_deviation() -> None:
    assert mean_and_deviation({7: {"loss": 0.12345678}}) == {"loss": 0.123457}


def test_several_seeds_have_a_mean_and_a_sample_deviation() -> None:
    scores = {0: {"accuracy": 0.9, "loss": 1.0}, 1: {"accuracy": 0.8, "loss": 2.0}, 2: {"accuracy": 0.7, "loss": 6.0}}
    assert mean_and_deviation(scores) == {
        "accuracy": 0.8,
        "accuracy_std": 0.1,
        "loss": 3.0,
        "loss_std": 2.645751,
    }
