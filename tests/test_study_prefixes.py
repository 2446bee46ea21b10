"""Trials that differ in the number of epochs alone: one training for all of them, where nothing looks ahead."""

from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.layout import training_folder
from reprolab.data.parts import TrainingData
from reprolab.training.archive import folder_of
from tests.factories import make_experiment
from tests.studied import EPOCHS, counted, epochs_of, make_study, results_of, run, table, weights

pytestmark = pytest.mark.usefixtures("one_job")


def test_trials_that_differ_in_epochs_alone_are_trained_once(data: TrainingData) -> None:
    with counted() as trained:
        rows = run(make_study(space=EPOCHS, seeds=2), data)
    assert epochs_of(trained) == [4, 4]
    assert [row.settings["epochs"] for row in rows] == ["1", "1", "2", "2", "4", "4"]
    assert len({row.identity for row in rows}) == 6


@pytest.mark.parametrize("keep", [None, "last"])
@pytest.mark.parametrize("model", [{"name": "mlp", "hidden": [4]}, {"name": "cnn", "dropout": 0.5, "batch_norm": True}])
def test_a_beginning_is_bit_for_bit_the_shorter_training(
    model: dict[str, Any], keep: str | None, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = {"name": "step", "every": 2, "factor": 0.1}
    training = {"keep": keep, "schedule": schedule, "optimizer": {"name": "adam", "lr": 0.1}, "snapshots": True}
    base = make_experiment({key: value for key, value in training.items() if value}, model=model)
    results = results_of(make_study(space=EPOCHS), data, base)
    together = {
        trial.experiment.training.epochs: folder_of(outcome.identity).load(trial.experiment, data)[0]
        for trial, outcome in results
    }
    monkeypatch.chdir(tmp_path / "data")
    for epochs in (1, 2, 4):
        alone = results_of(make_study(space={"training": {"epochs": [epochs]}}), data, base)
        (trial, outcome), fit = alone[0], together[epochs]
        by_itself = folder_of(outcome.identity).load(trial.experiment, data)[0]
        assert [(e.number, e.train, e.validation) for e in fit.epochs] == [
            (e.number, e.train, e.validation) for e in by_itself.epochs
        ]
        assert (fit.best.number, fit.losses) == (by_itself.best.number, by_itself.losses)
        assert list(fit.snapshots) == list(by_itself.snapshots) == [*range(epochs + 1)]
        for name, value in by_itself.classifier.state_dict().items():
            assert torch.equal(fit.classifier.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"training": {"schedule": {"name": "step", "every": 1, "factor": 0.5}}}, [4]),
        ({"training": {"schedule": {"name": "one_cycle"}}}, [1, 2, 4]),
        # Of two steps an epoch it has no schedule for the first epoch, of the three that there are it has.
        ({"training": {"schedule": {"name": "one_cycle", "warmup": 0.5}}}, [1, 2, 4]),
        ({"model": {"name": "mlp_classifier", "hidden": [4]}}, [1, 2, 4]),
    ],
    ids=["step", "one cycle", "one cycle with a long warm-up", "fits itself"],
)
def test_a_training_that_looks_ahead_is_no_beginning_of_another(
    changes: dict[str, Any], trained: list[int], data: TrainingData
) -> None:
    base = make_experiment(**changes)
    with counted() as found:
        rows = run(make_study(space=EPOCHS), data, base)
    assert epochs_of(found) == trained
    assert {row.state for row in rows} == {"finished"}


@pytest.mark.parametrize(
    ("before", "after", "trained"), [([1, 2], [1, 2, 4], [4]), ([4], [1, 2, 4], [2]), ([1, 4], [1, 2, 3, 4], [3])]
)
def test_what_is_known_of_a_chain_is_not_trained_again(
    before: list[int], after: list[int], trained: list[int], data: TrainingData
) -> None:
    run(make_study(space={"training": {"epochs": before}}), data)
    with counted() as found:
        run(make_study(space={"training": {"epochs": after}}), data)
    assert epochs_of(found) == trained


@pytest.mark.parametrize("damaged", [[1], [4], [2, 4], [1, 2, 4]])
def test_damaged_trainings_of_a_chain_are_trained_anew_to_their_own_end(damaged: list[int], data: TrainingData) -> None:
    study = make_study(space=EPOCHS)
    rows = run(study, data)
    expected = table(rows), [weights(row.identity) for row in rows]
    for row in rows:
        if int(row.settings["epochs"]) in damaged:
            (training_folder(row.identity) / "weights.safetensors").write_bytes(b"damaged")
    again = run(study, data)
    assert (table(again), [weights(row.identity) for row in again]) == expected


def test_a_chain_is_trained_anew_by_one_training_where_that_is_asked_for(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(space=EPOCHS)
    rows = run(study, data)
    expected = table(rows), [weights(row.identity) for row in rows]
    monkeypatch.setenv("REPROLAB_FRESH", "1")
    with counted() as found:
        again = run(study, data)
    assert epochs_of(found) == [4]
    assert (table(again), [weights(row.identity) for row in again]) == expected


def test_the_journal_of_a_beginning_has_its_epochs(data: TrainingData) -> None:
    for trial, outcome in results_of(make_study(space=EPOCHS), data):
        lines = folder_of(outcome.identity).journal.lines()
        numbers = [line["number"] for line in lines if line["event"] == "epoch"]
        assert numbers == [*range(1, trial.experiment.training.epochs + 1)]
        assert lines[-1]["status"] == "FINISHED"
