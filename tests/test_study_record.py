"""The table of a study: what is written is read again, the points are ranked, and the best one is an experiment."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.core.errors import InputError
from reprolab.core.study import Study
from reprolab.studies.outputs import winner_of
from reprolab.studies.record import (
    Summary,
    load_rows,
    points_of,
    ranked,
    save_rows,
    settings_of,
    short_keys,
    shown_settings,
    summary,
)
from tests.factories import make_experiment
from tests.studied import make_failed, make_study, make_trial

SPACE: dict[str, Any] = {
    "model": {"hidden": [[2], [4, 4]]},
    "training": {"optimizer": {"lr": [0.1, 1e-05]}, "schedule": [{"name": "constant"}, {"name": "one_cycle"}]},
    "input": {"flip": [False, True]},
}


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    settings = {"hidden": "[2, 2]", "name": 'a "b",\nc', "lr": "1e-05"}
    rows = [
        make_trial(0, 3, 0.1 + 0.2, settings=settings, fold=2, share=0.25, clean_accuracy=1 / 3),
        make_failed(1, settings=settings, reason="it,\nbroke", fold=None, share=0.5, identity=""),
        make_trial(2, settings=settings, state="pruned", validation_loss=None, fold=1, share=0.0),
    ]
    save_rows(tmp_path / "s.csv", rows)
    assert load_rows(tmp_path / "s.csv") == rows


@pytest.mark.parametrize(("changes", "columns"), [({}, set()), ({"fold": 1}, {"fold"}), ({"share": 0.0}, {"share"})])
def test_columns_that_no_training_has_are_left_out(changes: dict[str, Any], columns: set[str], tmp_path: Path) -> None:
    save_rows(tmp_path / "s.csv", [make_trial(settings={"lr": "0.1"}, **changes)])
    header = (tmp_path / "s.csv").read_text().splitlines()[0].split(",")
    assert {"fold", "share", "clean_accuracy"} & set(header) == columns
    assert header[:3] == ["point", "lr", "seed"]


def test_a_row_of_its_own_columns_survives_a_second_writing(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("first.csv", "second.csv")]
    save_rows(paths[0], [make_trial(score=0.1 + 0.2), make_failed(1)])
    save_rows(paths[1], load_rows(paths[0]))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0.875", "high", "could not convert string to float: 'high'"),
        ("finished,2,", "finished,two,", "invalid literal for int"),
        ("0.875,0.5,0.5,", "0.875,,0.5,", "a training that finished lacks a score"),
        ("finished,2,0.25", "finished,2,0.25,9", "a row has not one cell for each column"),
        (",finished,2,0.25,0.875,0.5,0.5,0.25,", ",finished\n", "a row has not one cell for each column"),
    ],
)
def test_a_damaged_table_is_refused_with_what_to_do(old: str, new: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "tried.csv"
    save_rows(path, [make_trial(), make_trial(1)])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as error:
        load_rows(path)
    assert str(error.value).startswith(f"{path} is damaged ({reason}")
    assert str(error.value).endswith("): run `dvc repro -f study@tried`")


def test_a_table_without_rows_or_columns_and_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tried.csv"
    with pytest.raises(InputError, match=r"tried\.csv is missing: run `dvc repro`"):
        load_rows(path)
    save_rows(path, [make_trial()])
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="it has no rows"):
        load_rows(path)
    path.write_text("point,seed\n0,0\n")
    with pytest.raises(InputError, match="line 1: lacks state, best_epoch"):
        load_rows(path)


@pytest.mark.parametrize(
    ("keys", "shorts"),
    [
        (["training.optimizer.lr"], ["lr"]),
        (["model.name", "training.loss.name"], ["model.name", "loss.name"]),
        (
            ["model.name", "training.optimizer.name", "training.loss.name"],
            ["model.name", "optimizer.name", "loss.name"],
        ),
        (["freeze"], ["freeze"]),
        (["input.mean", "input.std", "training.epochs"], ["mean", "std", "epochs"]),
        (["model.seed", "model.state", "model.point"], ["model.seed", "model.state", "model.point"]),
    ],
)
def test_a_setting_is_named_by_the_shortest_end_of_its_key(keys: list[str], shorts: list[str]) -> None:
    assert short_keys(keys) == shorts


def test_settings_survive_their_text() -> None:
    study = make_study(space=SPACE)
    for values in ([[2], 0.1, {"name": "constant"}, False], [[4, 4], 1e-05, {"name": "one_cycle"}, True]):
        settings = {dimension.key: value for dimension, value in zip(study.dimensions(), values, strict=True)}
        assert settings_of(study, shown_settings(settings)) == settings


@pytest.mark.parametrize(
    ("bounds", "value"), [({"low": 1, "high": 9}, 3), ({"low": 1e-6, "high": 1.0, "log": True}, 0.1 + 0.2)]
)
def test_a_drawn_number_survives_its_text(bounds: dict[str, Any], value: float) -> None:
    study = make_study("random", {"training": {"epochs": bounds}}, points=1)
    found = settings_of(study, shown_settings({"training.epochs": value}))["training.epochs"]
    assert found == value and type(found) is type(value)


# The best point


def ranks(study: Study, *rows: Any) -> list[int]:
    return [point.number for point in ranked(study, points_of(study, rows))]


def test_points_are_ranked_by_the_mean_of_the_objective() -> None:
    rows = [make_trial(0, score=0.5), make_trial(1, 0, 0.9), make_trial(1, 1, 0.3), make_trial(2, score=0.55)]
    assert ranks(make_study(), *rows) == [1, 2, 0]
    assert ranks(make_study(objective="validation_loss"), *rows) == [1, 2, 0]
    rows = [make_trial(0, validation_macro_f1=0.1), make_trial(1, validation_macro_f1=0.2, score=0.1)]
    assert ranks(make_study(objective="validation_macro_f1"), *rows) == [1, 0]


def test_of_equal_points_that_with_the_lower_loss_is_better_and_then_the_first() -> None:
    rows = [make_trial(number, validation_loss=loss) for number, loss in enumerate([0.5, 0.4, 0.4])]
    assert ranks(make_study(), *rows) == [1, 2, 0]


def test_a_point_that_lacks_a_training_is_not_ranked() -> None:
    rows = [make_trial(0, 0, 0.9), make_failed(0, 1), make_trial(1, score=0.1), make_trial(2, state="pruned", score=1)]
    assert ranks(make_study(), *rows) == [1]


def test_a_summary_counts_the_trainings_and_has_the_best_point() -> None:
    rows = [
        *(make_trial(0, seed, score) for seed, score in enumerate([0.8, 0.9])),
        *(make_failed(1, seed) for seed in (0, 1)),
        *(make_trial(2, seed, 0.99, state="pruned") for seed in (0, 1)),
    ]
    assert summary(make_study(), rows) == Summary(
        points=3, trainings=6, pruned=2, failed=2, best_point=0, best=0.85, best_n=2, best_std=0.070711
    )
    assert summary(make_study(), [make_trial()]).best_std is None


@pytest.mark.parametrize(
    ("rows", "reason"),
    [([make_trial(), make_failed(0, 1)], "it diverged"), ([make_trial(state="pruned")], "they were pruned")],
)
def test_a_study_without_a_whole_point_is_an_error(rows: list[Any], reason: str) -> None:
    expected = f"^no point of the study has all of its trainings; the first that failed: {reason}$"
    with pytest.raises(InputError, match=expected):
        summary(make_study(), rows)
    with pytest.raises(InputError, match="no point of the study has all of its trainings"):
        winner_of(make_study(), make_experiment(), rows)


def test_the_winner_is_the_experiment_with_the_best_settings() -> None:
    study = make_study(space={"model": {"hidden": [[2], [4]]}, "training": {"optimizer": {"lr": [0.1, 0.2]}}})
    settings = [{"hidden": hidden, "lr": lr} for hidden in ("[2]", "[4]") for lr in ("0.1", "0.2")]
    rows = [make_trial(number, score=number / 10, settings=found) for number, found in enumerate(settings)]
    winner = winner_of(study, make_experiment({"seeds": [5]}), rows)
    expected = make_experiment(
        {"seeds": [5], "optimizer": {"name": "sgd", "lr": 0.2}}, model={"name": "mlp", "hidden": [4]}
    )
    assert winner == expected


@pytest.mark.parametrize("settings", [{"hidden": "[8]", "lr": "0.1"}, {"lr": "0.1"}])
def test_a_table_of_another_space_has_no_winner(settings: dict[str, str]) -> None:
    study = make_study(space={"model": {"hidden": [[2], [4]]}, "training": {"optimizer": {"lr": [0.1]}}})
    with pytest.raises(InputError, match=r"of another space than params\.yaml: run the study again"):
        winner_of(study, make_experiment(), [make_trial(settings=settings)])
