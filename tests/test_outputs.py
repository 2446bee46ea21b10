"""The files of a training: the model's folder, the curves, and the scores at the best epochs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reprolab.core.errors import InputError
from reprolab.core.files import read_table
from reprolab.models.folder import ModelInfo, load_snapshots, load_weights
from reprolab.training.device import Device
from reprolab.training.outputs import curve_points, print_epoch, save_metrics, save_model, train_record
from reprolab.training.record import CurvePoint, Epoch, Fit, StepLoss, TrainRecord
from tests.factories import make_classifier, make_epoch, make_fit, make_model_info, make_scores


@pytest.fixture
def fits() -> dict[int, Fit]:
    """Two seeds of two epochs each; the first epoch of seed 3 is its best one."""
    early, late = make_scores(loss=0.25, accuracy=0.875), make_scores(loss=0.75, accuracy=0.625)
    return {
        3: make_fit(make_epoch(1, early, early), make_epoch(2, late, late), best=0, losses=[1.0, 2.0]),
        4: make_fit(make_epoch(1, early, late), make_epoch(2, late, early), losses=[3.0]),
    }


def test_a_model_s_folder_holds_its_description_weights_and_the_loss_of_every_step(
    fits: dict[int, Fit], tmp_path: Path
) -> None:
    info = make_model_info()
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "seed-9.safetensors").touch()  # of a former training with another seed
    save_model(tmp_path / "small", info, fits)
    assert ModelInfo.load(tmp_path / "small" / "model.json") == info
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == [
        "model.json",
        "seed-3.safetensors",
        "seed-4.safetensors",
        "sha256.json",
        "steps.csv",
    ]
    for seed, fit in fits.items():
        for name, value in fit.classifier.state_dict().items():
            assert torch.equal(load_weights(tmp_path / "small", seed)[name], value)
    assert read_table(tmp_path / "small" / "steps.csv", StepLoss) == [
        StepLoss(seed=3, step=1, loss=1.0),
        StepLoss(seed=3, step=2, loss=2.0),
        StepLoss(seed=4, step=1, loss=3.0),
    ]


def test_snapshots_are_saved_where_there_are_any(tmp_path: Path) -> None:
    fit = make_fit()
    fit.snapshots.update({0: make_classifier(seed=0).state_dict(), 1: make_classifier(seed=1).state_dict()})
    save_model(tmp_path / "small", make_model_info(), {0: fit})
    loaded = load_snapshots(tmp_path / "small", 0)
    assert list(loaded) == [0, 1]
    assert torch.equal(loaded[1]["network.1.weight"], fit.snapshots[1]["network.1.weight"])


def test_curves_have_a_row_for_each_seed_epoch_and_part(fits: dict[int, Fit], tmp_path: Path) -> None:
    save_metrics(tmp_path, fits, train_record(fits, {3: "a", 4: "b"}))
    rows = read_table(tmp_path / "curves.csv", CurvePoint)
    assert rows == curve_points(fits)
    assert [(row.seed, row.epoch, row.part) for row in rows] == [
        (seed, epoch, part) for seed in (3, 4) for epoch in (1, 2) for part in ("train", "validation")
    ]
    assert [row.accuracy for row in rows if row.part == "validation"] == [0.875, 0.625, 0.625, 0.875]
    assert {row.part for row in curve_points({0: make_fit()})} == {"train"}


def test_the_record_holds_the_means_at_the_best_epochs_and_what_was_trained_on(
    fits: dict[int, Fit], tmp_path: Path
) -> None:
    save_metrics(tmp_path, fits, train_record(fits, {3: "a", 4: "b"}))
    record = TrainRecord.load(tmp_path / "train.json")
    assert record == train_record(fits, {3: "a", 4: "b"})
    assert (record.train_accuracy, record.train_accuracy_std) == (0.75, 0.176777)
    assert (record.validation_accuracy, record.validation_accuracy_std) == (0.875, 0.0)
    assert record.best_epochs == [1, 2]
    assert (record.device, record.precision, record.threads) == ("cpu", "float32", "1")
    assert record.identities == ["a", "b"]


def test_identities_are_those_of_the_seeds(fits: dict[int, Fit], tmp_path: Path) -> None:
    path = tmp_path / "small" / "train.json"
    train_record(fits, {3: "a", 4: "b"}).save(path)
    assert TrainRecord.load_identities(path, (3, 4)) == {3: "a", 4: "b"}
    for seeds in ((3,), (3, 4, 5)):
        with pytest.raises(InputError, match=r"train\.json does not have an identity for each seed: run `dvc repro"):
            TrainRecord.load_identities(path, seeds)
    content = json.loads(path.read_text())
    del content["identities"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"train\.json does not have an identity for each seed"):
        TrainRecord.load_identities(path, (3, 4))


def test_seeds_trained_on_several_devices_are_all_named(fits: dict[int, Fit]) -> None:
    fits[4] = replace(fits[4], device=Device("cpu", "bfloat16", 16))
    record = train_record(fits, {3: "a", 4: "b"})
    assert (record.device, record.precision, record.threads) == ("cpu", "float32, bfloat16", "1, 16")


def test_an_epoch_is_a_line_with_what_is_known_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_epoch("small", 3, make_epoch(2, validation=make_scores(accuracy=0.5)))
    print_epoch("small", 3, Epoch(2, make_scores(), None))
    line = "small, seed 3, epoch 2: loss 0.5000, accuracy 0.7500"
    assert capsys.readouterr().out == f"{line}, validation accuracy 0.5000 (30 images/s)\n{line}\n"


def test_one_seed_without_a_validation_part_has_neither_deviations_nor_validation_scores() -> None:
    record = train_record({0: make_fit(make_epoch(1), make_epoch(2))}, {0: "a"})
    assert record.best_epochs == [2]
    assert (record.train_accuracy, record.train_accuracy_std) == (0.75, None)
    assert (record.validation_accuracy, record.validation_loss_std) == (None, None)
