"""What MLflow has of a run, however often and with whatever interruption it was told."""

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.config import Experiment
from reprolab.core.files import read_yaml
from reprolab.tracking.journals import remove_journals
from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError
from tests.factories import make_scores, use
from tests.forked import all_at_once
from tests.tracked import EPOCHS, Recorded, contents, epoch_of, only_once, steps

PARENT, SEEDS = "digits/small", ("digits/small/seed 0", "digits/small/seed 1")


def published(store: Store, recorded: Recorded) -> dict[str, Any]:
    Publisher(store).publish(recorded.run())
    return contents(store)


def test_a_run_has_parameters_curves_data_files_and_how_it_ended(store: Store) -> None:
    recorded = Recorded()
    recorded.train()
    found = published(store, recorded)[PARENT]
    assert found["status"] == "FINISHED"
    assert found["parameters"]["training.optimizer.lr"] == "0.003"
    assert found["data"][0][0] == "noise"
    assert found["files"] == ["experiment.yaml"]
    assert [(step, value) for step, value, _ in found["metrics"]["train/loss"]] == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    assert found["metrics"]["validation/best_accuracy"][0][1] == 0.8
    assert max(found["metrics"]) == "wall/images_per_second"


def test_seeds_are_children_with_parameters_and_the_parent_has_the_mean_of_every_curve(store: Store) -> None:
    recorded = Recorded(seeds=(0, 1))
    recorded.train()
    found = published(store, recorded)
    assert set(found) == {PARENT, *SEEDS}
    for name in found[SEEDS[0]]["metrics"].keys() - {"train/best_accuracy", "train/best_loss", "train/best_macro_f1"}:
        if "best" not in name:
            assert [step for step, _, _ in found[PARENT]["metrics"][name]] == [1, 2, 3]
    assert [value for _, value, _ in found[PARENT]["metrics"]["train/accuracy"]] == pytest.approx([0.605, 0.705, 0.805])
    assert [found[seed]["parameters"]["training.seeds"] for seed in SEEDS] == ["[0]", "[1]"]
    assert found[SEEDS[0]]["parameters"]["training.optimizer.lr"] == "0.003"


def test_the_mean_waits_for_the_seed_that_trains_last(store: Store) -> None:
    recorded = Recorded(seeds=(0, 1))
    first, second = ([epoch_of(seed, number) for number in (1, 2)] for seed in (0, 1))
    recorded.train({0: first, 1: second[:1]}, error=SystemExit(143))
    found = published(store, recorded)
    assert [step for step, _, _ in found[PARENT]["metrics"]["train/loss"]] == [1]
    assert [found[name]["status"] for name in (PARENT, *SEEDS)] == ["KILLED", "FINISHED", "KILLED"]


def test_an_evaluation_joins_the_run_of_its_training(store: Store, tmp_path: Path) -> None:
    recorded = Recorded(seeds=(0, 1))
    recorded.train()
    recorded.evaluate(tmp_path / "figures")
    found = published(store, recorded)
    assert found[PARENT]["metrics"]["test/accuracy"][0][:2] == (0, pytest.approx(0.805))
    assert found[SEEDS[1]]["metrics"]["test/accuracy"][0][1] == pytest.approx(0.81)
    assert found[PARENT]["files"] == ["classes.csv", "experiment.yaml", "loss.png"]
    assert found[PARENT]["parameters"]["parameters"] == "10"
    # The best seed by validation is the second one: its model is the parent's.
    assert found[PARENT]["models"] == [("small", "READY", True)]
    assert found[SEEDS[0]]["models"] == [("small", "READY", True)]
    assert found[SEEDS[1]]["models"] == [("small", "READY", False)]


def test_the_model_is_loaded_from_the_parent_without_this_library(store: Store, tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.train()
    recorded.evaluate(tmp_path / "figures")
    number = Publisher(store).publish(recorded.run())
    code = (
        f"import sys, mlflow, torch; mlflow.set_tracking_uri({store.uri!r})\n"
        f"model = mlflow.pytorch.load_model('runs:/{number}/small')\n"
        "assert not any(name.startswith('reprolab') for name in sys.modules)\n"
        "print(tuple(model(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).shape))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "(5, 3)\n"


def test_doing_it_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    recorded = Recorded(seeds=(0, 1))
    recorded.train()
    recorded.evaluate(tmp_path / "figures")
    first = published(store, recorded)
    assert Publisher(store).is_complete(recorded.run())
    assert published(Store(), recorded) == first
    assert len(store.client.search_logged_models(["1"])) == 2


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.torture), 2])
def test_wherever_it_is_cut_off_the_next_time_completes_it(
    step: int, store: Store, initialised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every call of the store, or at every second one."""
    recorded = Recorded(seeds=(0, 1))
    recorded.train()
    expected = published(store, recorded)
    call = Store.call
    limits = iter(range(1, 500, step))
    whole = False
    while not whole:
        left = next(limits)

        def cut_off(self: Store, *arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise StoreError("cut off")
            return call(self, *arguments, **options)

        shutil.copy(initialised, store.uri.removeprefix("sqlite:///"))
        monkeypatch.setattr(Store, "call", cut_off)
        try:
            Publisher(Store()).publish(recorded.run())
        except StoreError:
            assert left <= 0
        whole = left > 0  # it has fewer calls
        monkeypatch.setattr(Store, "call", call)
        assert published(Store(), recorded) == expected
    assert next(limits) > 30


def test_a_training_is_followed_from_epoch_to_epoch_and_each_is_there_once(store: Store) -> None:
    recorded = Recorded()
    publisher = Publisher(store)
    with recorded.stage.running(), (journal := recorded.of_seed(0)).running(**recorded.stage.seed_facts(0)):
        for number in range(1, EPOCHS + 1):
            journal.add("epoch", **vars(epoch_of(0, number)) | {"train": vars(make_scores()), "validation": None})
            publisher.publish(recorded.run())
            assert contents(store)[PARENT]["status"] == "RUNNING"
            assert steps(store, PARENT, "train/loss") == list(range(1, number + 1))
    publisher.publish(recorded.run())
    assert contents(store)[PARENT]["status"] == "FINISHED"


def test_a_resumed_training_goes_on_in_its_run(store: Store) -> None:
    recorded = Recorded()
    recorded.train({0: [epoch_of(0, 1), epoch_of(0, 2)]}, error=SystemExit(143))
    assert published(store, recorded)[PARENT]["status"] == "KILLED"
    recorded.train({0: [epoch_of(0, 2), epoch_of(0, 3)]})
    found = published(store, recorded)
    assert list(found) == [PARENT]
    assert (found[PARENT]["status"], "reprolab.error" in found[PARENT]["tags"]) == ("FINISHED", False)
    assert all(only_once([step for step, _, _ in history]) for history in found[PARENT]["metrics"].values())
    assert steps(store, PARENT, "train/loss") == [1, 2, 3]


def test_a_training_that_is_done_again_is_the_same_run_with_every_epoch_once(store: Store) -> None:
    recorded = Recorded()
    recorded.train()
    before = published(store, recorded)[PARENT]["metrics"]
    recorded.train({0: [replace(epoch_of(0, number), seconds=9.0) for number in range(1, EPOCHS + 1)]})
    assert not Publisher(store).is_complete(recorded.run())  # its times are others
    found = published(store, recorded)
    assert list(found) == [PARENT]
    assert found[PARENT]["metrics"] == before
    assert Publisher(store).is_complete(recorded.run())


def test_the_same_training_with_other_numbers_is_another_run(store: Store) -> None:
    recorded = Recorded()
    recorded.train()
    first = Publisher(store).publish(recorded.run())
    recorded.of_seed(0).path.unlink()
    recorded.train({0: [epoch_of(1, number) for number in range(1, EPOCHS + 1)]})
    assert Publisher(store).publish(recorded.run()) != first


def test_a_score_that_changed_is_the_latest(store: Store, tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.train()
    for accuracy in (0.8, 0.7):
        recorded.evaluate(tmp_path / "figures", accuracy)
        number = Publisher(store).publish(recorded.run())
    assert store.client.get_run(number).data.metrics["test/accuracy"] == pytest.approx(0.7)


def test_the_experiment_with_its_defaults_is_ready_to_paste(store: Store, root: Path) -> None:
    recorded = Recorded()
    recorded.train()
    Publisher(store).publish(recorded.run())
    (file,) = root.glob("mlartifacts/*/artifacts/experiment.yaml")
    assert Experiment.model_validate(read_yaml(file)["small"]) == recorded.info.experiment


def test_an_experiment_opens_on_its_trainings_and_says_what_it_is(store: Store) -> None:
    recorded = Recorded()
    recorded.train()
    Publisher(store).publish(recorded.run())
    (experiment,) = store.client.search_experiments()
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "Trainings on the data set digits" in experiment.tags["mlflow.note.content"]


PUBLISH = """
from reprolab.tracking.journals import journals, run_of
from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store
for journal in journals():
    Publisher(Store()).publish(run_of(journal))
"""


def test_several_at_once_make_one_run_of_each(root: Path) -> None:
    for name in ("small", "other"):
        Recorded(name=name).train()
    all_at_once(PUBLISH, 3, root)
    assert set(contents(Store())) == {"digits/small", "digits/other"}


def test_journals_of_removed_trainings_go_with_their_evaluations(root: Path, tmp_path: Path) -> None:
    for name, seeds in (("small", (0, 1)), ("other", (2,))):
        recorded = Recorded(seeds, name)
        recorded.train()
        recorded.evaluate(tmp_path / name)
    remove_journals([Recorded((1,)).origins[1].identity])
    assert {path.name.split("-")[1] for path in (root / ".reprolab/runs").iterdir()} == {"other"}


class Branches(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum() > 0 else x - 1


def test_a_model_that_cannot_be_exported_costs_only_itself(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprolab.tracking.models._classifier", lambda model: Branches())
    recorded = Recorded()
    recorded.train()
    recorded.evaluate(tmp_path / "figures")
    found = published(store, recorded)[PARENT]
    assert (found["status"], found["models"], "reprolab.model_error" in found["tags"]) == ("FINISHED", [], True)


def test_a_checkout_that_moved_keeps_its_files(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded()
    recorded.train()
    number = Publisher(store).publish(recorded.run())
    moved = root.parent / "moved"
    shutil.copytree(root, moved)
    shutil.rmtree(root)
    monkeypatch.chdir(moved)
    found = Store()
    assert [file.path for file in found.client.list_artifacts(number)] == ["experiment.yaml"]
    other = Recorded(name="other")
    other.train()
    Publisher(found).publish(other.run())
    assert len(list(moved.glob("mlartifacts/*"))) == 2


def test_a_relative_database_lies_at_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(root / "mlflow.db", root / "mine.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine.db")
    Store()
    assert [path.name for path in root.glob("*.db")] == ["mine.db"]
    assert list(Path.cwd().iterdir()) == []


def test_a_set_up_that_was_cut_off_mends_itself(root: Path, initialised: Path) -> None:
    database = root / "mlflow.db"
    with sqlite3.connect(initialised) as whole:
        tables = whole.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql <> ''").fetchall()
    database.unlink()
    with sqlite3.connect(database) as part:
        for (sql,) in tables[:5]:
            part.execute(sql)
    (root / ".mlflow.db.1.partial").touch()
    assert Store().experiments() == []
    assert not list(root.glob(".*partial*"))


SET_UP = "from reprolab.tracking.store import Store; assert Store().experiments() == []"


def test_processes_that_set_up_the_store_together_all_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = use(tmp_path, monkeypatch)
    all_at_once(SET_UP, 3, root)
