"""The run of a study in MLflow: a child for each training, from the journal as from the files alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprolab.core.comparison import Contrast
from reprolab.core.errors import InputError
from reprolab.core.layout import contrast_file, study_file
from reprolab.core.study import Study
from reprolab.reports.contrasts import contrast, contrast_scores, save_contrast
from reprolab.reports.studies import save_study
from reprolab.studies.record import TrialRow, load_rows
from reprolab.tracking.content import Run
from reprolab.tracking.journals import journals, run_of
from reprolab.tracking.publish import Publisher
from reprolab.tracking.recording import record_comparison, record_study
from reprolab.tracking.results import comparison_result, study_result
from reprolab.tracking.store import Store
from tests.factories import make_split_info
from tests.studied import make_failed, make_study, make_trial
from tests.tracked import contents

NAME = "tried"
PARENT = f"study {NAME}/{NAME}"
STUDY = make_study(
    space={"training": {"optimizer": {"lr": [0.1, 0.2, 0.3]}, "epochs": [4]}, "model": {"hidden": [[2]]}}, seeds=2
)


def settings(lr: str) -> dict[str, str]:
    return {"lr": lr, "epochs": "4", "hidden": "[2]"}


ROWS = [
    *(make_trial(0, seed, 0.75 + seed / 8, settings=settings("0.1")) for seed in (0, 1)),
    make_trial(1, 0, 0.25, settings=settings("0.2"), state="pruned"),
    make_trial(1, 1, 0.0, settings=settings("0.2")),
    *(make_failed(2, seed, settings=settings("0.3"), identity="") for seed in (0, 1)),
]


def written(rows: list[TrialRow] = ROWS, study: Study = STUDY) -> list[Path]:
    """The files of the study, without curves and a confusion matrix."""
    return save_study(study_file(NAME).with_suffix(""), NAME, study, rows, None, [], [])


def recorded(rows: list[TrialRow] = ROWS) -> Run:
    record_study(NAME, "digits", make_split_info(), written(rows))
    (journal,) = journals()
    run = run_of(journal)
    assert run
    return run


def published(store: Store, run: Run) -> dict[str, Any]:
    Publisher(store).publish(run)
    return contents(store)


def values(run: dict[str, Any]) -> dict[str, float]:
    return {name: history[-1][1] for name, history in run["metrics"].items()}


def test_a_study_is_a_run_with_a_child_for_each_training_that_says_how_it_ended(store: Store) -> None:
    found = published(store, recorded())
    names = [f"lr {lr}, seed {seed}" for lr in ("0.1", "0.2", "0.3") for seed in (0, 1)]
    assert set(found) == {PARENT, *(f"{PARENT}/{name}" for name in names)}
    parent = found[PARENT]
    assert (parent["status"], parent["parameters"]) == ("FINISHED", {"dataset": "digits"})
    assert values(parent) == {
        "best/objective": 0.8125,
        "best/objective_std": pytest.approx(0.088388),
        "validation/accuracy_mean": pytest.approx((0.75 + 0.875 + 0) / 3),
        "validation/accuracy_std": pytest.approx(0.473242),
        "trainings/all": 6,
        "trainings/failed": 2,
        "trainings/pruned": 1,
    }
    assert parent["files"] == ["repeats.png", "tried.csv", "tried.json", "tried.md"]
    assert parent["tags"]["mlflow.source.name"] == "study@tried"

    best = found[f"{PARENT}/lr 0.1, seed 1"]
    assert values(best) == {
        "validation/accuracy": 0.875, "validation/loss": 0.125, "validation/macro_f1": 0.4375,
        "train/accuracy": 0.875, "train/loss_at_best": 0.25, "best_epoch": 2,
    }  # fmt: skip
    ends = [found[f"{PARENT}/{name}"]["status"] for name in names]
    assert ends == [
        "FINISHED",
        "FINISHED",
        "KILLED",
        "FINISHED",
        "FAILED",
        "FAILED",
    ]
    failed = found[f"{PARENT}/lr 0.3, seed 0"]
    assert failed["metrics"] == {} and failed["tags"]["mlflow.note.content"] == "it diverged"


@pytest.mark.usefixtures("root")
def test_only_what_varies_is_a_parameter_of_a_child() -> None:
    assert recorded().children[3].parameters == {"lr": "0.2", "seed": "1"}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ([{"fold": 1}, {"fold": 2}], "fold 2"),
        ([{"share": 0.0, "clean_accuracy": 0.5}, {"share": 0.5, "clean_accuracy": 0.5}], "share 0.5"),
        ([{"seed": 4}], "seed 4"),
    ],
)
@pytest.mark.usefixtures("root")
def test_a_child_is_named_by_what_varies(changes: list[dict[str, Any]], name: str) -> None:
    rows = [make_trial(settings=settings("0.1"), **change) for change in changes]
    run = recorded(rows)
    assert run.children[-1].name == name
    assert len(run.children) == len(rows)


def test_points_that_come_to_one_training_have_a_child_each(store: Store) -> None:
    rows = [make_trial(point, settings=settings(lr), identity="a" * 64) for point, lr in enumerate(("0.1", "0.2"))]
    found = published(store, recorded(rows))
    assert set(found) == {PARENT, f"{PARENT}/lr 0.1", f"{PARENT}/lr 0.2"}
    assert [found[f"{PARENT}/lr {lr}"]["parameters"] for lr in ("0.1", "0.2")] == [{"lr": "0.1"}, {"lr": "0.2"}]


def test_doing_it_twice_changes_nothing(store: Store) -> None:
    run = recorded()
    first = published(store, run)
    assert Publisher(store).is_complete(run)
    assert published(Store(), run) == first


@pytest.mark.usefixtures("root")
def test_a_study_that_found_something_else_is_another_run() -> None:
    first = recorded()
    record_study(NAME, "digits", make_split_info(), written(ROWS[:2]))
    runs = [run for journal in journals() if (run := run_of(journal))]
    assert sorted(len(run.children) for run in runs) == [2, 6]
    assert first.key in [run.key for run in runs] and runs[0].key != runs[1].key


def test_without_a_journal_its_files_give_the_same(store: Store) -> None:
    run = recorded()
    from_files = study_result(NAME, "digits", study_file(NAME))
    assert from_files.from_files and not run.from_files
    # When it was, a journal alone knows.
    for name in ("experiment", "about", "key", "name", "status", "note", "parameters", "curves", "trainings"):
        for one, other in zip((from_files, *from_files.children), (run, *run.children), strict=True):
            assert getattr(one, name) == getattr(other, name), name
    assert from_files.files.keys() == run.files.keys()
    # MLflow finds the run again, whichever came first.
    number = Publisher(store).publish(from_files)
    assert Publisher(store).publish(run) == number
    assert len(contents(store)) == 7


@pytest.mark.usefixtures("root")
def test_a_study_without_its_summary_has_no_run() -> None:
    written()
    study_file(NAME).with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"or the summary of the study tried is missing: run `dvc repro -f study@tri"):
        study_result(NAME, "digits", study_file(NAME))


@pytest.mark.usefixtures("root")
def test_the_run_names_the_trainings_that_it_is_made_of() -> None:
    run = recorded()
    assert run.trainings == [row.identity for row in load_rows(study_file(NAME))]


def test_a_contrast_is_a_run_of_its_own(store: Store) -> None:
    study = make_study("seeds", seeds=2)
    tables = [make_trial(0, seed, seed / 4) for seed in (0, 1)], [make_trial(0, seed, 0.5) for seed in (0, 1)]
    found = contrast(Contrast(first="one", second="two"), (study, study), tables)
    files = save_contrast(contrast_file("both").with_suffix(""), "Both", found)
    record_comparison("both", "digits", contrast_file("both").parent, contrast_scores(found), files, "contrast")
    (journal,) = journals()
    run = run_of(journal)
    assert run
    (content,) = published(store, run).values()
    assert (content["status"], content["tags"]["reprolab.stage"]) == ("FINISHED", "contrast")
    assert values(content) == pytest.approx(contrast_scores(found))
    assert content["files"] == ["both.json", "both.md", "difference.png"]
    from_files = comparison_result("both", "digits", files[0], contrast_scores(found), "contrast")
    assert (from_files.key, from_files.curves, from_files.name) == (run.key, run.curves, run.name)
    assert replace(run).files.keys() == from_files.files.keys()
