"""Where weights start: ImageNet's files, another experiment's, and what stays frozen."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.config import Experiment, Model
from reprolab.core.errors import InputError
from reprolab.data.parts import load_training_data
from reprolab.data.streams import stream
from reprolab.models.build import imagenet_weights
from reprolab.models.classifier import build_classifier
from reprolab.models.folder import load_classifier
from reprolab.models.layers import head_of, layers_with_weights
from reprolab.models.pretrained import PretrainedWeights, load_pretrained, start_from
from reprolab.training.run import train
from tests.factories import make_experiment, make_model_info, make_split_info, save_untrained

DONOR = "donor"


def experiment(**changes: Any) -> Experiment:
    """Starts from another one."""
    return make_experiment(**{"model": {"name": "mlp", "hidden": [8, 6]}, "init_from": DONOR, **changes})


def save_donor(folder: Path, **changes: Any) -> Path:
    """A model of two seeds and five classes."""
    settings = experiment(init_from="random", training={"seeds": [3, 4]}, **changes)
    save_untrained(folder / DONOR, make_model_info(settings, make_split_info(classes=5), DONOR), seeds=(3, 4))
    return folder / DONOR


def test_random_weights_come_from_nowhere(tmp_path: Path) -> None:
    assert load_pretrained(experiment(init_from="random"), tmp_path / "none") is None


def test_another_experiment_gives_all_but_the_head(tmp_path: Path) -> None:
    folder = save_donor(tmp_path)
    pretrained = load_pretrained(experiment(), folder)
    assert pretrained and pretrained.origin == "donor, seed 3"
    classifier = build_classifier(experiment(), make_split_info())
    head = head_of(classifier.network).weight.clone()  # type: ignore[operator]
    start_from(pretrained, classifier, experiment())
    donor = load_classifier(folder, 3).network.state_dict()
    own = classifier.network.state_dict()
    assert torch.equal(own["1.weight"], donor["1.weight"]) and torch.equal(own["3.bias"], donor["3.bias"])
    assert torch.equal(own["5.weight"], head)
    assert own["5.weight"].shape != donor["5.weight"].shape


def test_the_head_is_not_the_one_that_the_donor_grew_up_with(split_folder: Path, tmp_path: Path) -> None:
    still = {"epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-12}}
    data = load_training_data(split_folder, "train")
    donor = train(experiment(init_from="random", training=still), data, None, 3, tmp_path / "donor.pt")
    pretrained = PretrainedWeights("donor, seed 3", donor.classifier.network.state_dict())
    runs = [train(experiment(training=still), data, pretrained, 3, tmp_path / f"{n}.pt") for n in (1, 2)]
    heads = [head_of(run.classifier.network).state_dict()["weight"] for run in (donor, *runs)]
    assert torch.equal(heads[1], heads[2])
    assert not torch.isclose(heads[0], heads[1], atol=1e-3).any()


def test_the_head_depends_on_the_seed_and_on_where_the_weights_are_from() -> None:
    one, other = PretrainedWeights("one, seed 0", {}), PretrainedWeights("other, seed 0", {})
    assert one.head_stream(0) == one.head_stream(0)
    start = stream(0, "initialisation")
    assert len({one.head_stream(0), one.head_stream(1), other.head_stream(0), start}) == 4


def test_another_architecture_is_refused_by_the_layer_that_differs(tmp_path: Path) -> None:
    folder = save_donor(tmp_path, model={"name": "mlp", "hidden": [8, 7]})
    pretrained = load_pretrained(experiment(), folder)
    assert pretrained
    with pytest.raises(InputError, match=r"donor, seed 3 do not fit 'mlp': 3.weight has the shape \(7, 8\), exp"):
        start_from(pretrained, build_classifier(experiment(), make_split_info()), experiment())


def test_a_missing_donor_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model.json is missing: run `dvc repro`"):
        load_pretrained(experiment(), tmp_path / DONOR)


@pytest.mark.parametrize(
    ("freeze", "trainable"), [("none", {1, 3, 5}), ("all-but-head", {5}), ({"all_but_last": 1}, {3, 5})]
)
def test_what_is_frozen_does_not_change(freeze: Any, trainable: set[int], split_folder: Path, tmp_path: Path) -> None:
    folder = save_donor(tmp_path)
    settings = experiment(freeze=freeze)
    pretrained = load_pretrained(settings, folder)
    data = load_training_data(split_folder, "train")
    fitted = train(settings, data, pretrained, 0, tmp_path / "run.pt")
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
    pretrained = load_pretrained(settings, tmp_path / "models" / "imagenet")
    assert pretrained and imagenet.name in pretrained.origin
    assert (tmp_path / "torch" / "hub" / "checkpoints" / imagenet.name).is_file()
    imagenet.unlink()  # from now on the cache has to do
    again = load_pretrained(settings, tmp_path / "models" / "imagenet")
    assert again
    classifier = build_classifier(settings, make_split_info())
    start_from(again, classifier, settings)
    published = torch.load(tmp_path / "torch" / "hub" / "checkpoints" / imagenet.name)
    own = classifier.network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in published.items() if not name.startswith("fc."))
    assert own["fc.weight"].shape == (3, 512)


def test_frozen_normalisation_keeps_its_statistics(imagenet: Path, split_folder: Path, tmp_path: Path) -> None:
    settings = experiment(**RESNET)
    pretrained = load_pretrained(settings, tmp_path)
    data = load_training_data(split_folder, "train")
    fitted = train(settings, data, pretrained, 0, tmp_path / "run.pt")
    assert pretrained
    own = fitted.classifier.network.state_dict()
    assert torch.equal(own["bn1.running_mean"], pretrained.weights["bn1.running_mean"])
    frozen = [layer for layer in layers_with_weights(fitted.classifier.train().network) if not layer.training]
    assert len(frozen) == 40


def test_statistics_of_frozen_layers_adapt_where_they_are_to(
    imagenet: Path, split_folder: Path, tmp_path: Path
) -> None:
    settings = experiment(**RESNET, frozen_statistics="adapting")
    pretrained = load_pretrained(settings, tmp_path)
    assert pretrained
    fitted = train(settings, load_training_data(split_folder, "train"), pretrained, 0, tmp_path / "run.pt")
    own = fitted.classifier.network.state_dict()
    for name, value in pretrained.weights.items():
        if not name.startswith("fc."):
            adapts = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
            assert torch.equal(own[name], value) != adapts, name


@pytest.mark.parametrize("changes", [{"freeze": "none"}, {"freeze": "none", "init_from": "random"}], ids=str)
def test_statistics_adapt_only_beside_a_freeze(changes: dict[str, str]) -> None:
    with pytest.raises(
        ValueError, match="frozen_statistics is 'adapting', but freeze is 'none': freeze layers, or rem"
    ):
        experiment(**{**RESNET, "frozen_statistics": "adapting", **changes})


def test_alexnet_with_its_dropout_elsewhere_has_no_imagenet_weights() -> None:
    with pytest.raises(InputError, match=r"model.dropout_after: found True, but the ImageNet weights need False"):
        imagenet_weights(Model(name="alexnet", dropout_after=True))


def test_damaged_weights_are_refused(imagenet: Path, tmp_path: Path) -> None:
    imagenet.write_bytes(imagenet.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"imagenet/resnet18-.*pth is damaged or altered: its SHA-256 is "):
        load_pretrained(experiment(**RESNET), tmp_path)
    assert not list((tmp_path / "torch").rglob("*.pth"))


def test_weights_that_cannot_be_had_say_how_to_provide_them(imagenet: Path, tmp_path: Path) -> None:
    imagenet.unlink()
    with pytest.raises(InputError, match=r"(?s)neither in .*checkpoints nor.*Put resnet18-.*--keep-going"):
        load_pretrained(experiment(**RESNET), tmp_path)
