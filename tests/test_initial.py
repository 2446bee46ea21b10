"""Where weights start: ImageNet's files, another experiment's, and what stays frozen."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.classifier import (
    ModelInfo,
    build_classifier,
    load_classifier,
    load_snapshots,
    save_model,
    save_snapshots,
)
from reprolab.config import Experiment
from reprolab.data.splits import SplitInfo, load_training_data
from reprolab.device import Device
from reprolab.errors import InputError
from reprolab.initial import initial_weights, start_from
from reprolab.models import head_of, imagenet_weights, layers_with_weights
from reprolab.training import fit

CPU = Device("cpu", "float32")
DONOR = "donor"


def experiment(**changes: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "dataset": "noise",
            "model": {"name": "mlp", "hidden": [8, 6]},
            "init_from": DONOR,
            "input": {},
            "training": {
                "epochs": 2,
                "batch_size": 16,
                "optimizer": {"name": "sgd", "lr": 0.1},
                "seeds": [3, 4],
            },
            **changes,
        }
    )


def info(shape: tuple[int, ...] = (1, 8, 8), classes: int = 3) -> SplitInfo:
    channels = [0.5] * shape[0]
    return SplitInfo("noise", "official", [str(i) for i in range(classes)], list(shape), channels, channels, {}, {})


def save_donor(folder: Path, donor: Experiment, seeds: tuple[int, ...] = (3, 4)) -> Path:
    classifiers = {}
    for seed in seeds:
        torch.manual_seed(100 + seed)
        classifiers[seed] = build_classifier(donor, info(classes=5))
    save_model(folder / DONOR, ModelInfo.of(DONOR, donor, info(classes=5), "hash"), classifiers)
    return folder / DONOR


def test_random_weights_come_from_nowhere(tmp_path: Path) -> None:
    assert initial_weights(experiment(init_from="random"), tmp_path / "none") is None


def test_another_experiment_gives_all_but_the_head(tmp_path: Path) -> None:
    folder = save_donor(tmp_path, experiment(init_from="random"))
    initial = initial_weights(experiment(), folder)
    assert initial and initial.origin == "donor, seed 3"
    classifier = build_classifier(experiment(), info())
    head = head_of(classifier.network).weight.clone()  # type: ignore[operator]
    start_from(initial, classifier, experiment())
    donor = load_classifier(folder, 3).network.state_dict()
    own = classifier.network.state_dict()
    assert torch.equal(own["1.weight"], donor["1.weight"]) and torch.equal(own["3.bias"], donor["3.bias"])
    assert torch.equal(own["5.weight"], head)
    assert own["5.weight"].shape != donor["5.weight"].shape


def test_the_head_is_not_the_one_that_the_donor_grew_up_with(split_folder: Path, tmp_path: Path) -> None:
    still = {"epochs": 1, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 1e-30}, "seeds": [3]}
    data = load_training_data(split_folder, "train")
    donor = experiment(init_from="random", training=still)
    fitted = fit(donor, data, 3, CPU, tmp_path / "donor.pt")
    save_model(tmp_path / DONOR, ModelInfo.of(DONOR, donor, data.info, "hash"), {3: fitted.classifier})
    initial = initial_weights(experiment(), tmp_path / DONOR)
    runs = [fit(experiment(training=still), data, 3, CPU, tmp_path / f"{n}.pt", initial=initial) for n in (1, 2)]
    heads = [head_of(run.classifier.network).state_dict()["weight"] for run in (fitted, *runs)]
    assert torch.equal(heads[1], heads[2])
    assert not torch.isclose(heads[0], heads[1], atol=1e-3).any()


def test_another_architecture_is_refused_by_the_layer_that_differs(tmp_path: Path) -> None:
    folder = save_donor(tmp_path, experiment(init_from="random", model={"name": "mlp", "hidden": [8, 7]}))
    initial = initial_weights(experiment(), folder)
    assert initial
    with pytest.raises(InputError, match=r"donor, seed 3 do not fit 'mlp': 3.weight has the shape \(7, 8\), exp"):
        start_from(initial, build_classifier(experiment(), info()), experiment())


def test_a_missing_donor_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model.json is missing: run `dvc repro`"):
        initial_weights(experiment(), tmp_path / DONOR)


@pytest.mark.parametrize(
    ("freeze", "trainable"), [("none", {1, 3, 5}), ("all-but-head", {5}), ({"all_but_last": 1}, {3, 5})]
)
def test_what_is_frozen_does_not_change(freeze: Any, trainable: set[int], split_folder: Path, tmp_path: Path) -> None:
    folder = save_donor(tmp_path, experiment(init_from="random"))
    settings = experiment(freeze=freeze)
    initial = initial_weights(settings, folder)
    data = load_training_data(split_folder, "train")
    fitted = fit(settings, data, 0, CPU, tmp_path / "run.pt", initial=initial)
    donor = load_classifier(folder, 3).network.state_dict()
    own = fitted.classifier.network.state_dict()
    for layer in (1, 3):
        assert torch.equal(own[f"{layer}.weight"], donor[f"{layer}.weight"]) == (layer not in trainable)
    marked = {
        int(name.split(".")[0])
        for name, parameter in fitted.classifier.network.named_parameters()
        if parameter.requires_grad
    }
    assert marked == trainable


def test_more_layers_than_there_are_cannot_be_left_free() -> None:
    with pytest.raises(InputError, match=r"freeze.all_but_last: found 3, but 'mlp' has 2 layers with weights"):
        build_classifier(experiment(freeze={"all_but_last": 3}), info())


RESNET: dict[str, Any] = {
    "model": {"name": "resnet", "depth": 18},
    "init_from": "imagenet",
    "freeze": "all-but-head",
    "input": {"size": 64, "channels": 3},
}


@pytest.fixture
def imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with a file of random weights in the place of ImageNet's, and an empty cache."""
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    mirror = tmp_path / "mirror"
    (mirror / "imagenet").mkdir(parents=True)
    monkeypatch.setenv("REPROLAB_MIRROR", str(mirror))
    torch.manual_seed(5)
    weights = tmp_path / "weights.pth"
    torch.save(torchvision.models.resnet18().state_dict(), weights)
    name = f"resnet18-{hashlib.sha256(weights.read_bytes()).hexdigest()[:8]}.pth"
    weights.rename(mirror / "imagenet" / name)
    model = experiment(**RESNET).model
    entry = imagenet_weights(model)
    monkeypatch.setattr(type(entry), "url", f"http://127.0.0.1:9/{name}", raising=False)
    return mirror / "imagenet" / name


def test_imagenet_s_weights_come_through_the_mirror_into_the_cache(imagenet: Path, tmp_path: Path) -> None:
    settings = experiment(**RESNET)
    initial = initial_weights(settings, tmp_path / "models" / "imagenet")
    assert initial and imagenet.name in initial.origin
    assert (tmp_path / "torch" / "hub" / "checkpoints" / imagenet.name).is_file()
    imagenet.unlink()  # from now on the cache has to do
    again = initial_weights(settings, tmp_path / "models" / "imagenet")
    assert again
    classifier = build_classifier(settings, info())
    start_from(again, classifier, settings)
    published = torch.load(tmp_path / "torch" / "hub" / "checkpoints" / imagenet.name)
    own = classifier.network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in published.items() if not name.startswith("fc."))
    assert own["fc.weight"].shape == (3, 512)


def test_frozen_normalisation_keeps_its_statistics(imagenet: Path, split_folder: Path, tmp_path: Path) -> None:
    settings = experiment(**RESNET)
    initial = initial_weights(settings, tmp_path)
    data = load_training_data(split_folder, "train")
    fitted = fit(settings, data, 0, CPU, tmp_path / "run.pt", initial=initial)
    assert initial
    own = fitted.classifier.network.state_dict()
    assert torch.equal(own["bn1.running_mean"], initial.weights["bn1.running_mean"])
    frozen = [layer for layer in layers_with_weights(fitted.classifier.train().network) if not layer.training]
    assert len(frozen) == 40


def test_damaged_weights_are_told(imagenet: Path, tmp_path: Path) -> None:
    imagenet.write_bytes(imagenet.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"resnet18-.*pth is damaged: its SHA-256 is .*Remove every copy"):
        initial_weights(experiment(**RESNET), tmp_path)
    assert not list((tmp_path / "torch").rglob("*.pth"))


def test_weights_that_cannot_be_had_say_how_to_provide_them(imagenet: Path, tmp_path: Path) -> None:
    imagenet.unlink()
    with pytest.raises(InputError, match=r"(?s)neither in .*checkpoints nor.*Put resnet18-.*--keep-going"):
        initial_weights(experiment(**RESNET), tmp_path)


def test_snapshots_come_back_by_epoch(tmp_path: Path) -> None:
    snapshots = {epoch: {"network.weight": torch.full((1, 2), float(epoch))} for epoch in (0, 2, 10)}
    save_snapshots(tmp_path, 3, snapshots)
    loaded = load_snapshots(tmp_path, 3)
    assert list(loaded) == [0, 2, 10]
    assert torch.equal(loaded[10]["network.weight"], torch.full((1, 2), 10.0))
    assert load_snapshots(tmp_path, 4) == {}
