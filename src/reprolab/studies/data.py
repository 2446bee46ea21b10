"""What a training of a study sees of a split: never the test part."""

from dataclasses import dataclass

import numpy as np

from reprolab.core.errors import InputError
from reprolab.core.integrity import content_hash
from reprolab.data.parts import Part, TrainingData
from reprolab.data.split import groups_of_equals, statistics
from reprolab.studies.plan import Plan


@dataclass(frozen=True)
class Cut:
    """Which of the plan's folds validates, counted from 1, or which share of the scored half is trained on."""

    fold: int | None = None
    share: float | None = None


@dataclass(frozen=True)
class StudyData:
    """`clean` are the examples that a contaminated training is scored on besides, none of which it has seen."""

    training: TrainingData
    clean: Part | None = None


def cut_data(data: TrainingData, plan: Plan, cut: Cut, seed: int) -> StudyData:
    """Raises `InputError` where there are fewer examples of a class than folds."""
    if cut.fold is not None:
        return StudyData(_fold(data, plan, cut.fold))
    if cut.share is not None:
        return _contaminated(data, cut.share, seed)
    return StudyData(data)


def _fold(data: TrainingData, plan: Plan, fold: int) -> TrainingData:
    examples = data.train + data.validation if data.validation else data.train
    refusal = "search.folds: found {count}, but a class has {rarest} different example(s); give at most that many"
    held_out = _folds(examples, plan.folds, plan.fold_seed, refusal)[fold - 1]
    return _parts(data, examples[~held_out], examples[held_out])


def _contaminated(data: TrainingData, share: float, seed: int) -> StudyData:
    """Of one seed the same half is scored whatever the share, and a larger share lends more of the same examples."""
    assert data.validation
    refusal = (
        "search.shares: a class has {rarest} different example(s) in the validation part, which is halved; take more"
    )
    scored = _folds(data.validation, 2, seed, refusal)[0]
    clean, half = data.validation[~scored], data.validation[scored]
    lent = np.zeros(len(half), bool)
    lent[np.random.default_rng(seed).permutation(len(half))[: round(share * len(half))]] = True
    return StudyData(_parts(data, data.train + half[lent], half), clean)


def _folds(part: Part, count: int, seed: int, refusal: str) -> list[np.ndarray]:
    """Masks (n,), one a fold. The different examples are stratified, and their copies go with them.

    Raises `InputError` with the `refusal` where a class has fewer of them than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    group = groups_of_equals(part.inputs)
    labels = part.labels[np.unique(group, return_index=True)[1]]
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < count:
        raise InputError(refusal.format(count=count, rarest=rarest))
    folds = StratifiedKFold(count, shuffle=True, random_state=seed).split(labels, labels)
    return [np.isin(group, chosen) for _, chosen in folds]


def _parts(data: TrainingData, train: Part, validation: Part) -> TrainingData:
    mean, std = statistics(train.inputs)
    found = {"train": train, "validation": validation}
    info = data.info.model_copy(
        update={
            "mean": mean,
            "std": std,
            "sizes": {name: len(part) for name, part in found.items()},
            "sha256": {name: content_hash(part) for name, part in found.items()},
        }
    )
    return TrainingData(info, train, validation)
