"""Running a study: what is trained, what is taken over, and that neither jobs nor interruptions change a number."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.core.errors import InputError
from reprolab.data.parts import TrainingData
from reprolab.models.build import resolve_experiment
from reprolab.studies.run import jobs, seeds_of
from reprolab.studies.space import changed, plan_of
from reprolab.training.archive import train_once
from reprolab.training.identity import origins_of
from tests.factories import make_experiment
from tests.studied import BASE, EPOCHS, GRID, LR, counted, known, make_study, run, table, weights

pytestmark = pytest.mark.usefixtures("one_job")


def test_a_grid_has_every_combination_the_last_key_changing_first(data: TrainingData) -> None:
    space = {"model": {"hidden": [[2], [3]]}, "training": {"optimizer": {"lr": [0.1, 0.2]}}}
    rows = run(make_study(space=space, seeds=2), data)
    assert [(row.point, row.settings, row.seed) for row in rows] == [
        (point, {"hidden": hidden, "lr": lr}, seed)
        for point, (hidden, lr) in enumerate([("[2]", "0.1"), ("[2]", "0.2"), ("[3]", "0.1"), ("[3]", "0.2")])
        for seed in (0, 1)
    ]
    assert {row.state for row in rows} == {"finished"}
    assert len(known()) == len(rows)


def test_how_many_are_trained_at_once_changes_no_byte(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from joblib.externals.loky import get_reusable_executor

    study = make_study(space={**GRID, "model": {"hidden": [[2], [3]]}}, seeds=2)
    tables, archives = [], []
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        monkeypatch.chdir(folder)  # where nothing is known yet
        monkeypatch.setenv("REPROLAB_JOBS", number)
        try:
            with counted() as here:
                tables.append(table(run(study, data)))
        finally:
            get_reusable_executor().shutdown(kill_workers=True)  # they stay in their folder
        assert len(here) == (12 if number == "1" else 0)
        archives.append({identity: weights(identity) for identity in known()})
    assert tables[0] == tables[1]
    assert archives[0] == archives[1] and len(archives[0]) == 12


def test_a_trial_is_the_training_of_the_experiment_with_its_settings(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = run(make_study("seeds", GRID, seeds=[3]), data)
    trained = {row.identity: weights(row.identity) for row in rows}
    monkeypatch.chdir(tmp_path / "data")  # where nothing is known yet
    for row, lr in zip(rows, (0.01, 0.1, 1.0), strict=True):
        alone = resolve_experiment(changed(BASE, {LR: lr, "training.seeds": [3]}, ""), "")
        origin = origins_of(alone, data, None)[3]
        fit = train_once("alone", alone, data, None, origin, lambda epoch: None)
        assert origin.identity == row.identity
        assert weights(origin.identity) == trained[row.identity]
        assert fit.best.validation
        assert (row.best_epoch, row.train_loss) == (fit.best.number, fit.best.train.loss)
        assert (row.validation_loss, row.validation_accuracy, row.validation_macro_f1) == (
            fit.best.validation.loss, fit.best.validation.accuracy, fit.best.validation.macro_f1,
        )  # fmt: skip


def test_a_second_time_trains_nothing(data: TrainingData) -> None:
    first = table(run(make_study(space=GRID), data))
    with counted() as trained:
        assert table(run(make_study(space=GRID), data)) == first
    assert trained == []


def test_a_wider_grid_trains_its_new_points_alone(data: TrainingData) -> None:
    run(make_study(space=GRID), data)
    wider = {"training": {"optimizer": {"lr": [0.5, *GRID["training"]["optimizer"]["lr"]]}}}
    with counted() as trained:
        rows = run(make_study(space=wider), data)
    assert [experiment.training.optimizer.options["lr"] for experiment in trained] == [0.5]
    assert [row.settings["lr"] for row in rows] == ["0.5", "0.01", "0.1", "1.0"]


def test_studies_share_the_trainings_that_they_have_in_common(data: TrainingData) -> None:
    first = run(make_study("seeds", GRID, seeds=[0, 1]), data)
    with counted() as trained:
        second = run(make_study("grid", GRID), data, name="other")
    assert trained == []
    assert [row.identity for row in second] == [row.identity for row in first if row.seed == 0]


def test_an_interrupted_study_goes_on_where_it_was(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(space=GRID, seeds=2)
    with pytest.raises(KeyboardInterrupt), counted(stop_at=4):
        run(study, data)
    assert len(known()) == 3
    with counted() as trained:
        found = table(run(study, data))
    assert len(trained) == 3
    monkeypatch.chdir(tmp_path / "data")
    assert table(run(study, data)) == found


def test_a_trial_that_was_broken_off_goes_on_from_its_last_epoch(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, base = make_study("seeds", seeds=[0]), make_experiment({"epochs": 3})
    numbers: list[int] = []
    journalled = "reprolab.core.journal.Journal.add"
    with monkeypatch.context() as patch:

        def add(journal: Any, event: str, **values: Any) -> None:
            if event == "epoch":
                numbers.append(values["number"])
                if len(numbers) == 2:
                    raise KeyboardInterrupt

        patch.setattr(journalled, add)
        with pytest.raises(KeyboardInterrupt):
            run(study, data, base)
        interrupted = run(study, data, base)
    assert numbers == [1, 2, 3]
    monkeypatch.chdir(tmp_path / "data")
    assert table(run(study, data, base)) == table(interrupted)


def test_a_trial_that_diverges_is_a_row_with_its_reason_and_shorter_ones_finish(data: TrainingData) -> None:
    # The weights grow a millionfold a step, three of which are an epoch.
    optimizer = {"name": "sgd", "lr": 0.1, "weight_decay": 1000.0}
    base = make_experiment({"optimizer": optimizer}, model={"name": "mlp", "hidden": []})
    rows = run(make_study(space={"training": {"optimizer": {"lr": [0.1, 1000.0]}, "epochs": [1, 3]}}), data, base)
    assert [(*row.settings.values(), row.state) for row in rows] == [
        ("0.1", "1", "finished"), ("0.1", "3", "finished"), ("1000.0", "1", "finished"), ("1000.0", "3", "failed"),
    ]  # fmt: skip
    failed = rows[-1]
    assert "not finite in epoch" in failed.reason and "lower training.optimizer.lr" in failed.reason
    assert (failed.best_epoch, failed.validation_accuracy, len(failed.identity)) == (None, None, 64)
    assert {row.reason for row in rows[:-1]} == {""}
    assert known() == {row.identity for row in rows[:-1]}


def test_a_study_all_of_whose_trials_fail_is_an_error(data: TrainingData) -> None:
    space = {"model": [{"name": "alexnet"}, {"name": "vgg16"}]}
    with pytest.raises(InputError, match=r"^every training of the study 'tried' failed, the first one so: .*alexnet"):
        run(make_study(space=space), data)


@pytest.mark.parametrize("jobs_set", [True, False])
@pytest.mark.parametrize("epochs", [[1], [1, 2]])
def test_a_point_that_its_data_do_not_fit_fails_by_itself(
    epochs: list[int], jobs_set: bool, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not jobs_set:
        monkeypatch.delenv("REPROLAB_JOBS")
        monkeypatch.setattr("reprolab.studies.run.ALL_THREADS", 1)
    models = [{"name": "mlp", "hidden": [2]}, {"name": "alexnet"}]
    rows = run(make_study(space={"model": models, "training": {"epochs": epochs}}), data)
    assert [row.state for row in rows] == ["finished"] * len(epochs) + ["failed"] * len(epochs)
    assert "model 'alexnet' cannot be built for inputs of shape" in rows[-1].reason


@pytest.mark.parametrize("found", ["x", "0", "-1", "1.5", "1025"])
def test_a_number_of_jobs_that_is_none_is_refused_before_anything_is_trained(
    found: str, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROLAB_JOBS", found)
    with counted() as trained, pytest.raises(InputError) as error:
        run(make_study(space=GRID), data)
    assert str(error.value) == f"REPROLAB_JOBS: found '{found}'; it should be a whole number from 1 to 1024"
    assert trained == []


@pytest.mark.parametrize(("threads", "expected"), [("1", 8), ("3", 2), ("8", 1), ("9", 1)])
def test_as_many_jobs_as_the_cores_hold_trainings(
    threads: str, expected: int, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPROLAB_JOBS")
    monkeypatch.setenv("REPROLAB_THREADS", threads)
    monkeypatch.setattr("reprolab.studies.run.ALL_THREADS", 8)
    study = make_study(space=EPOCHS)
    assert jobs(study, BASE, data, plan_of(study, "")) == expected


def test_seeds_are_those_given_or_the_experiment_s_own_and_then_new_ones() -> None:
    experiment = make_experiment({"seeds": [4, 1]})
    assert seeds_of(experiment, [7, 3]) == [7, 3]
    assert [seeds_of(experiment, count) for count in (1, 2, 4)] == [[4], [4, 1], [4, 1, 5, 6]]
