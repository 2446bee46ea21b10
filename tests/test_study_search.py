"""The searches: sampled points in an order that can be repeated, folds, and contaminated data."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from reprolab.core.errors import InputError
from reprolab.data.parts import Part, TrainingData
from reprolab.studies.data import Cut, cut_data
from reprolab.studies.plan import Plan
from reprolab.studies.trials import Outcome, Trial
from tests.factories import images_of, make_epoch, make_experiment, make_scores
from tests.studied import counted, known, make_study, run, table

RANGES: dict[str, Any] = {
    "model": {"hidden": [[2], [4]]},
    "training": {"optimizer": {"lr": {"low": 0.001, "high": 10.0, "log": True}}, "epochs": {"low": 1, "high": 3}},
}
SEVERAL = make_experiment({"epochs": 4}, model={"name": "mlp", "hidden": [4]})

pytestmark = pytest.mark.usefixtures("one_job")


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_sampled_points_lie_in_the_space_and_are_the_same_each_time(
    search: str, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = run(make_study(search, RANGES, points=8), data)
    assert [row.point for row in rows] == [*range(8)]
    for row in rows:
        assert row.settings["hidden"] in ("[2]", "[4]") and row.settings["epochs"] in ("1", "2", "3")
        assert 0.001 <= float(row.settings["lr"]) <= 10.0
    assert len({row.settings["lr"] for row in rows}) == 8
    monkeypatch.chdir(tmp_path / "data")  # where nothing is known yet
    assert table(run(make_study(search, RANGES, points=8), data)) == table(rows)
    assert table(run(make_study(search, RANGES, points=8, seed=1), data)) != table(rows)


def test_a_sampled_point_is_trained_with_each_seed(data: TrainingData) -> None:
    rows = run(make_study("random", RANGES, points=3, seeds=2), data)
    assert [(row.point, row.seed) for row in rows] == [(point, seed) for point in range(3) for seed in (0, 1)]
    assert rows[0].settings == rows[1].settings != rows[2].settings


@pytest.mark.parametrize("objective", ["validation_accuracy", "validation_loss"])
def test_tpe_draws_where_the_objective_was_good(
    objective: str, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distance(lr: float) -> float:
        return abs(math.log10(lr))

    def scored(name: str, trials: Sequence[Trial], *_: object) -> list[Outcome]:
        far = distance(float(trials[0].experiment.training.optimizer.options["lr"]))
        best = make_epoch(validation=make_scores(loss=far, accuracy=-far))
        return [Outcome("finished", "", [best], best)]

    monkeypatch.setattr("reprolab.studies.run.run_trials", scored)
    space = {"training": {"optimizer": {"lr": {"low": 1e-6, "high": 1e3, "log": True}}}}
    found = [distance(float(row.settings["lr"])) for row in run(make_study("tpe", space, objective, points=40), data)]
    assert median(found[-20:]) < median(found[:10])


@pytest.mark.parametrize("pruning", [None, 1])
def test_an_interrupted_tpe_draws_the_same_points(
    pruning: int | None, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"training": {"optimizer": {"lr": RANGES["training"]["optimizer"]["lr"]}}}
    study = make_study("tpe", space, points=12, pruning=pruning)
    with pytest.raises(KeyboardInterrupt), counted(stop_at=8):
        run(study, data, SEVERAL)
    before = known()
    assert 0 < len(before) <= 7
    resumed = run(study, data, SEVERAL)
    assert before <= {row.identity for row in resumed}
    monkeypatch.chdir(tmp_path / "data")
    assert table(run(study, data, SEVERAL)) == table(resumed)
    assert ({row.state for row in resumed} == {"finished", "pruned"}) == bool(pruning)


def test_a_pruned_trial_has_the_scores_of_its_last_epoch_and_no_result(data: TrainingData) -> None:
    space = {"training": {"optimizer": {"lr": RANGES["training"]["optimizer"]["lr"]}}}
    rows = run(make_study("tpe", space, points=12, pruning=1), data, SEVERAL)
    pruned = [row for row in rows if row.state == "pruned"]
    assert pruned and all(row.best_epoch and row.best_epoch < 4 for row in pruned)
    assert all(row.validation_accuracy is not None for row in pruned)
    assert known() == {row.identity for row in rows if row.state == "finished"}


def test_a_sampled_point_that_the_experiment_refuses_is_a_row_with_its_reason(data: TrainingData) -> None:
    # Each value fits the experiment by itself, two of them not each other.
    space = {"model": {"name": ["mlp", "mlp_classifier"], "activation": ["relu", "tanh"]}}
    base = make_experiment(model={"name": "mlp", "hidden": [2]})
    rows = run(make_study("random", space, points=8), data, base)
    states = {row.settings["name"]: (row.state, row.reason) for row in rows}
    assert states["mlp"] == ("finished", "")
    assert states["mlp_classifier"][0] == "failed"
    assert "studies.tried.space.model.activation: unknown option of 'mlp_classifier'" in states["mlp_classifier"][1]
    assert [row.point for row in rows] == [*range(8)]


# Folds


def folds_of(data: TrainingData, count: int, seed: int = 0) -> list[tuple[Part, Part]]:
    """The parts that are trained on and held out."""
    plan = Plan(folds=count, fold_seed=seed)
    found = [cut_data(data, plan, Cut(fold=fold), 0).training for fold in range(1, count + 1)]
    return [(fold.train, fold.validation) for fold in found if fold.validation]


def with_copies(data: TrainingData) -> TrainingData:
    """The first ten training examples stand three times, one of them in the validation part too."""
    assert data.validation
    copied = data.train[np.arange(len(data.train)) < 10]
    one = data.train[np.arange(len(data.train)) < 1]
    return TrainingData(data.info, data.train + copied + copied, data.validation + one)


@pytest.mark.parametrize("count", [2, 5])
def test_folds_are_disjoint_and_cover_every_example(count: int, data: TrainingData) -> None:
    data = with_copies(data)
    assert data.validation
    every = sorted(images_of(data.train + data.validation))
    held_out = []
    for train, validation in folds_of(data, count):
        assert not set(images_of(train)) & set(images_of(validation))
        assert sorted(images_of(train) + images_of(validation)) == every
        held_out += images_of(validation)
    assert sorted(held_out) == every


def test_folds_are_stratified(data: TrainingData) -> None:
    for _, validation in folds_of(data, 5):
        assert np.bincount(validation.labels).tolist() == [4, 4, 4]


def test_folds_depend_on_their_seed_alone(data: TrainingData) -> None:
    first, again, other = ([images_of(validation) for _, validation in folds_of(data, 3, seed)] for seed in (0, 0, 1))
    assert first == again != other


def test_each_fold_is_standardised_by_what_it_trains_on(data: TrainingData) -> None:
    found = cut_data(data, Plan(folds=3), Cut(fold=2), 0).training
    assert found.info.mean == [pytest.approx(float(found.train.inputs.mean()) / 255, abs=1e-6)]
    assert found.info.mean != data.info.mean
    assert found.info.sizes == {"train": 40, "validation": 20}
    assert found.info.sha256["train"] != data.info.sha256["train"]


def test_folds_are_trained_with_each_seed_and_counted_from_one(data: TrainingData) -> None:
    rows = run(make_study("folds", folds=3, seeds=2), data)
    assert [(row.point, row.seed, row.fold) for row in rows] == [(0, s, fold) for s in (0, 1) for fold in (1, 2, 3)]
    assert len({row.identity for row in rows}) == 6


def test_folds_need_no_validation_part(data: TrainingData) -> None:
    rows = run(make_study("folds", folds=3), TrainingData(data.info, data.train, None))
    assert [row.state for row in rows] == ["finished"] * 3


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"search": "folds", "folds": 21}, "search.folds: found 21, but a class has 20 different example(s); give at"),
        (
            {"search": "contamination", "shares": [0]},
            "search.shares: a class has 1 different example(s) in the validation part, which is halved; take more",
        ),
    ],
)
def test_fewer_examples_of_a_class_than_folds_are_refused_before_anything_is_trained(
    search: dict[str, Any], message: str, data: TrainingData
) -> None:
    assert data.validation
    if search["search"] == "contamination":
        data = TrainingData(data.info, data.train, data.validation[np.array([True] * 9 + [False] * 3)])
        assert data.validation and np.bincount(data.validation.labels).tolist() == [4, 4, 1]
    with counted() as trained, pytest.raises(InputError) as error:
        run(make_study(**search), data)
    assert str(error.value).startswith(message)
    assert trained == []


# Contamination


def contaminated(data: TrainingData, share: float, seed: int = 0) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The images that are trained on, scored, and clean."""
    found = cut_data(data, Plan(shares=(share,)), Cut(share=share), seed)
    assert found.training.validation and found.clean
    return images_of(found.training.train), images_of(found.training.validation), images_of(found.clean)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_share_is_lent_and_the_clean_half_is_never_trained_on(share: float, data: TrainingData) -> None:
    assert data.validation
    train, scored, clean = contaminated(data, share)
    assert sorted(scored + clean) == sorted(images_of(data.validation))
    assert len(scored) == len(clean) == 6
    assert not set(clean) & set(train)
    lent = train[len(data.train) :]
    assert train[: len(data.train)] == images_of(data.train)
    assert len(lent) == round(share * 6) and set(lent) <= set(scored)


def test_a_larger_share_lends_more_of_the_same_and_another_seed_others(data: TrainingData) -> None:
    little, much = contaminated(data, 0.5), contaminated(data, 1.0)
    assert little[1:] == much[1:]
    assert set(little[0]) < set(much[0])
    assert contaminated(data, 0.5, seed=1)[1] != little[1]


def test_contamination_has_a_point_a_share_and_a_clean_score(data: TrainingData) -> None:
    rows = run(make_study("contamination", shares=[0, 0.5, 1], seeds=2), data)
    assert [(row.point, row.seed, row.share) for row in rows] == [
        (point, seed, share) for point, share in enumerate((0.0, 0.5, 1.0)) for seed in (0, 1)
    ]
    assert all(row.clean_accuracy is not None and 0 <= row.clean_accuracy <= 1 for row in rows)
