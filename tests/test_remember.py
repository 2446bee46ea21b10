"""What is only in a result's files is entered among the known trainings, and gives the same files again."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.core.files import read_table, write_table
from reprolab.core.layout import training_folder
from reprolab.data.parts import TrainingData, load_training_data
from reprolab.models.build import resolve_experiment
from reprolab.models.folder import ModelInfo
from reprolab.training.archive import folder_of, remember, train_once
from reprolab.training.identity import Origin, origins_of
from reprolab.training.outputs import save_metrics, save_model, train_record
from reprolab.training.record import CurvePoint, StepLoss, TrainRecord
from tests.factories import make_experiment

MLP = {"training": {"seeds": [3, 4], "epochs": 3}}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "mlp with snapshots": {"training": {"seeds": [3, 4], "epochs": 3, "snapshots": True}},
    "convolutions": {"training": {"seeds": [3, 4]}, "model": {"name": "cnn"}},
    "a library's": {"training": {"seeds": [3, 4]}, "model": {"name": "mlp_classifier", "hidden": [4]}},
    "no validation": {"training": {"seeds": [3, 4], "data": "train+validation"}},
}


@dataclass
class Result:
    """An experiment that has been trained once, and its files below `folder`."""

    folder: Path
    experiment: Experiment
    data: TrainingData
    origins: dict[int, Origin]

    def train(self, name: str = "first") -> list[tuple[int, int]]:
        """Write its files into a folder of this name; the seeds and epochs that were trained come back."""
        trained: list[tuple[int, int]] = []
        fits = {
            seed: train_once(
                "small",
                self.experiment,
                self.data,
                None,
                origin,
                lambda epoch, seed=seed: trained.append((seed, epoch.number)),  # type: ignore[misc]
            )
            for seed, origin in self.origins.items()
        }
        info = ModelInfo(name="small", experiment=self.experiment, split=self.data.info)
        save_model(self.folder / name / "model", info, fits)
        record = train_record(fits, {seed: origin.identity for seed, origin in self.origins.items()})
        save_metrics(self.folder / name / "metrics", fits, record)
        return trained

    def remember(self, name: str = "first") -> list[int]:
        return remember("small", self.folder / name / "model", self.folder / name / "metrics", self.origins)


@pytest.fixture
def result(request: pytest.FixtureRequest, split_folder: Path, tmp_path: Path) -> Result:
    """Of two seeds; `parametrize` may choose the experiment."""
    settings = EXPERIMENTS[request.param] if hasattr(request, "param") else MLP
    experiment = resolve_experiment(make_experiment(**settings), "experiment")
    data = load_training_data(split_folder, experiment.training.data)
    result = Result(tmp_path / "results", experiment, data, origins_of(experiment, data, None))
    result.train()
    return result


def empty_the_archive() -> None:
    shutil.rmtree(training_folder(""))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("result", EXPERIMENTS, indirect=True)
def test_a_remembered_training_writes_the_same_bytes(result: Result) -> None:
    empty_the_archive()
    assert result.remember() == [3, 4]
    assert result.train("again") == []
    first = contents(result.folder / "first")
    assert {"model/model.json", "model/seed-3.safetensors", "model/steps.csv", "metrics/train.json"} <= first.keys()
    assert contents(result.folder / "again") == first


def test_what_is_known_is_not_entered_again(result: Result) -> None:
    assert result.remember() == []
    folder_of(result.origins[4].identity).remove()
    before = contents(training_folder(result.origins[3].identity))
    assert result.remember() == [4]
    assert contents(training_folder(result.origins[3].identity)) == before
    assert result.remember() == []


def test_a_remembered_training_says_so_and_has_no_proof(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    empty_the_archive()
    result.remember()
    folder = folder_of(result.origins[3].identity)
    about, made = folder.about(), folder.made()
    assert about and made and made.note == "entered from its result's files"
    assert (about.experiment, about.seed, about.origin) == ("small", 3, result.origins[3])
    assert not (folder.path / "proof.json").exists()
    capsys.readouterr()
    result.train("again")
    assert "small, seed 3: known, entered from its result's files 20" in capsys.readouterr().out


@pytest.mark.parametrize("known", ["nothing", "of other code"])
def test_of_a_result_of_other_code_it_is_not_known_what_it_is_made_from(result: Result, known: str) -> None:
    empty_the_archive()
    identities = {seed: origin.identity for seed, origin in result.origins.items()}
    changed = {seed: origin.model_copy(update={"modules": {}}) for seed, origin in result.origins.items()}
    result.origins = {} if known == "nothing" else changed
    assert result.remember() == [3, 4]
    for identity in identities.values():
        folder, about = folder_of(identity), folder_of(identity).about()
        assert folder.is_done and about and about.origin is None
    result.origins = changed
    assert result.train("other") == [(seed, epoch) for seed in (3, 4) for epoch in (1, 2, 3)]


def test_a_remembered_training_takes_the_place_of_one_that_was_begun(result: Result) -> None:
    empty_the_archive()
    begun = training_folder(result.origins[3].identity)
    begun.mkdir(parents=True)
    (begun / "checkpoint").write_bytes(b"begun")
    assert result.remember() == [3, 4]
    assert result.train("again") == []
    assert not (begun / "checkpoint").exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model/model.json", r"model\.json is missing"),
        ("model/seed-4.safetensors", r"seed-4\.safetensors is missing"),
        ("model/steps.csv", r"steps\.csv is missing"),
        ("metrics/train.json", r"train\.json is missing"),
        ("metrics/curves.csv", r"curves\.csv is missing"),
    ],
)
def test_a_result_that_lacks_a_file_is_not_entered(result: Result, file: str, message: str) -> None:
    empty_the_archive()
    (result.folder / "first" / file).unlink()
    with pytest.raises(InputError, match=message):
        result.remember()
    assert not list(training_folder("").glob("*/done.json"))


@pytest.mark.parametrize(
    "changes",
    [{"device": "cpu, cuda"}, {"precision": "float32, bfloat16"}, {"threads": "1, 2"}],
    ids=["device", "precision", "threads"],
)
def test_seeds_of_several_devices_are_not_entered(result: Result, changes: dict[str, str]) -> None:
    empty_the_archive()
    path = result.folder / "first" / "metrics" / "train.json"
    TrainRecord.load(path).model_copy(update=changes).save(path)
    with pytest.raises(InputError, match=r"train\.json: its seeds were trained on several devices"):
        result.remember()


def test_results_of_earlier_versions_are_not_entered(result: Result) -> None:
    empty_the_archive()
    path = result.folder / "first" / "metrics" / "train.json"
    TrainRecord.load(path).model_copy(update={"threads": None}).save(path)
    with pytest.raises(InputError, match=r"train\.json is of an earlier version of reprolab"):
        result.remember()


@pytest.mark.parametrize("lost", ["training part", "best epoch", "seed"])
def test_curves_that_lack_rows_are_refused(result: Result, lost: str) -> None:
    empty_the_archive()
    path = result.folder / "first" / "metrics" / "curves.csv"
    best = TrainRecord.load(path.with_name("train.json")).best_epochs[1]
    kept = {
        "training part": lambda row: row.part != "train",
        "best epoch": lambda row: (row.seed, row.epoch) != (4, best),
        "seed": lambda row: row.seed != 4,
    }[lost]
    write_table(path, [row for row in read_table(path, CurvePoint) if kept(row)])
    with pytest.raises(
        InputError, match=r"curves\.csv lacks epochs of seed [34], or their scores on the training part"
    ):
        result.remember()


def test_a_record_or_steps_that_lack_a_seed_are_refused(result: Result) -> None:
    empty_the_archive()
    steps = result.folder / "first" / "model" / "steps.csv"
    write_table(steps, [row for row in read_table(steps, StepLoss) if row.seed != 4])
    with pytest.raises(InputError, match=r"steps\.csv lacks the steps of seed 4"):
        result.remember()
    path = result.folder / "first" / "metrics" / "train.json"
    TrainRecord.load(path).model_copy(update={"best_epochs": [1]}).save(path)
    with pytest.raises(InputError, match=r"train\.json lacks the best epoch of one of its seeds"):
        result.remember()
