"""What the figures of a study need of single trainings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.study import Study
from reprolab.data.parts import TrainingData
from reprolab.models.classifier import predict
from reprolab.studies.data import cut_data
from reprolab.studies.plan import Plan
from reprolab.studies.record import TrialRow, points_of, ranked, settings_of
from reprolab.studies.run import Result, rows_of
from reprolab.studies.space import changed
from reprolab.training.archive import folder_of
from reprolab.training.record import Epoch
from reprolab.training.scores import confusion_matrix


@dataclass(frozen=True)
class Extremes:
    """What is drawn of a study: the `epochs` of the best point's first training and of the worst point's, and the
    `confusion` (classes, classes) of the best one on the part that it was chosen by."""

    epochs: Sequence[Sequence[Epoch]]
    confusion: np.ndarray


def extremes_of(study: Study, results: Sequence[Result], data: TrainingData, plan: Plan) -> Extremes:
    """Raises `InputError` where the best training is not in the archive any more."""
    order = ranked(study, points_of(study, rows_of(results)))
    first = {trial.point: (trial, outcome) for trial, outcome in reversed(results)}
    trial, outcome = first[order[0].number]
    seen = cut_data(data, plan, trial.cut, trial.seed).training
    fit, _ = folder_of(outcome.identity).load(trial.experiment, seen)
    assert seen.validation
    inputs, labels = seen.validation.on("cpu")
    predictions = predict(fit.classifier, inputs).argmax(1).numpy()
    confusion = confusion_matrix(predictions, labels.numpy(), len(data.info.classes))
    return Extremes([outcome.epochs, first[order[-1].number][1].epochs], confusion)


def winner_of(study: Study, base: Experiment, rows: Sequence[TrialRow]) -> Experiment:
    """The study's experiment with the settings of the best point.

    Raises `InputError` where no point has all of its trainings, and where the table is of another space.
    """
    points = ranked(study, points_of(study, rows))
    if not points:
        raise InputError("no point of the study has all of its trainings")
    try:
        settings = settings_of(study, points[0].settings)
    except (KeyError, StopIteration):
        raise InputError("the table of trials is of another space than params.yaml: run the study again") from None
    return changed(base, settings, "space")
