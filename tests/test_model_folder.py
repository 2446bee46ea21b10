"""The files of a model: read back as they were saved, and refused when missing, damaged or of another version."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.errors import InputError
from reprolab.models.classifier import predict
from reprolab.models.folder import ModelInfo, load_classifier, load_snapshots, save_snapshots
from tests.factories import make_experiment, make_model_info, save_untrained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of one seed."""
    save_untrained(tmp_path / "small", make_model_info())
    return tmp_path / "small"


def test_a_classifier_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    info = make_model_info(make_experiment(model={"name": "lenet5"}, input={"size": 32}))
    classifiers = save_untrained(tmp_path / "small", info, seeds=(3, 4))
    images = torch.randint(256, (5, 1, 8, 8), dtype=torch.uint8)
    for seed, classifier in classifiers.items():
        loaded = load_classifier(tmp_path / "small", seed)
        assert not loaded.training
        assert torch.equal(predict(loaded, images), predict(classifier, images))


@pytest.mark.parametrize("freeze", ["all-but-head", {"all_but_last": 1}])
def test_the_description_is_read_back_as_it_was_saved(freeze: Any, tmp_path: Path) -> None:
    experiment = make_experiment(
        {"schedule": {"name": "step", "every": 2, "factor": 0.5}},
        model={"name": "mlp", "hidden": [8, 6], "activation": ["relu", "tanh"]},
        init_from="imagenet",
        freeze=freeze,
        input={"size": 16, "mean": [0.5], "std": [0.25]},
    )
    info = make_model_info(experiment)
    info.save(tmp_path / "model.json")
    assert ModelInfo.load(tmp_path / "model.json") == info


def test_missing_or_damaged_weights_are_refused(folder: Path) -> None:
    weights = folder / "seed-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"seed-0\.safetensors is damaged.*dvc repro -f train@small"):
        load_classifier(folder, 0)
    with pytest.raises(InputError, match=r"seed-1\.safetensors is missing: run `dvc repro train@small`"):
        load_classifier(folder, 1)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    make_model_info(make_experiment(model={"name": "mlp", "hidden": [9]})).save(folder / "model.json")
    with pytest.raises(InputError, match=r"(?s)seed-0\.safetensors is damaged.*size mismatch.*repro -f train@small"):
        load_classifier(folder, 0)


@pytest.mark.parametrize(
    "content", ["{}", '{"name": "x", "experiment": {"old": 1}, "split": {}, "inputs": ""}', "[", "3"]
)
def test_a_damaged_or_older_description_is_refused(content: str, folder: Path) -> None:
    (folder / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json is damaged, or of another version of reprolab"):
        load_classifier(folder, 0)


def test_a_missing_description_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.json is missing: run `dvc repro`"):
        load_classifier(tmp_path, 0)


def test_an_experiment_with_names_that_are_gone_is_refused(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["experiment"]["training"]["schedule"] = {"name": "one-cycle"}
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"experiment\.training\.schedule\.name: unknown name 'one-cycle'"):
        load_classifier(folder, 0)


def test_snapshots_come_back_by_epoch(tmp_path: Path) -> None:
    snapshots = {epoch: {"network.weight": torch.full((1, 2), float(epoch))} for epoch in (0, 2, 10)}
    save_snapshots(tmp_path, 3, snapshots)
    loaded = load_snapshots(tmp_path, 3)
    assert list(loaded) == [0, 2, 10]
    assert torch.equal(loaded[10]["network.weight"], torch.full((1, 2), 10.0))
    assert load_snapshots(tmp_path, 4) == {}
