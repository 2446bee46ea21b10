"""Every experiment of params.yaml trains two steps on a small stand-in of its data."""

import hashlib
from pathlib import Path

import pytest
import torch

from reprolab.core.config import IMAGENET, RANDOM, Experiment, Model, Schedule, load_params
from reprolab.models.build import FitsItself, build_network, imagenet_weights
from reprolab.models.classifier import predict
from reprolab.models.folder import load_classifier
from reprolab.models.pretrained import load_pretrained
from reprolab.training.outputs import save_model
from reprolab.training.run import train
from tests.factories import REPOSITORY, make_model_info, make_split_info, make_training_data, save_untrained

PARAMS = load_params(REPOSITORY / "params.yaml")
SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "digits": ((1, 8, 8), 10),
    "digits100": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "mnist900": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "points": ((2,), 2),
    "wine": ((11,), 2),
    "iris": ((4,), 3),
    "iris-stratified": ((4,), 3),
}


def of_two_steps(experiment: Experiment) -> Experiment:
    """On four examples."""
    brief = {"epochs": 1, "schedule": Schedule(name="constant"), "seeds": (0,), "data": "train"}
    batch_size = min(2, experiment.training.batch_size)
    training = experiment.training.model_copy(update=brief | {"batch_size": batch_size})
    return experiment.model_copy(update={"training": training})


def provide_imagenet(model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file in the place of ImageNet's weights."""
    import torchvision

    entry = imagenet_weights(model)
    cache = folder / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    name = f"{model.name}{model.options.get('depth', '')}"
    with torch.device("meta"):
        known = name in torchvision.models.list_models()
        network = torchvision.models.get_model(name) if known else build_network(model, (3, 224, 224), 1000)
    number = torch.tensor(0.01)  # one for all weights, so that the file is small
    torch.save({name: number.expand(value.shape) for name, value in network.state_dict().items()}, cache / "w.pth")
    with (cache / "w.pth").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    (cache / "w.pth").rename(cache / f"x-{digest[:8]}.pth")
    monkeypatch.setattr(type(entry), "url", f"http://127.0.0.1:9/x-{digest[:8]}.pth", raising=False)


def provide_start(experiment: Experiment, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `init_from` names: another experiment with random weights, or a file in the place of ImageNet's."""
    if experiment.init_from == IMAGENET:
        provide_imagenet(experiment.model, folder, monkeypatch)
    elif experiment.init_from != RANDOM:
        donor = PARAMS.experiment(experiment.init_from)
        info = make_model_info(donor, make_split_info(*SHAPES[donor.dataset]))
        save_untrained(folder / experiment.init_from, info, donor.training.seeds[:1])
    return folder / experiment.init_from


@pytest.mark.parametrize("name", PARAMS.experiments)
def test_two_steps_and_the_same_scores_after_save_and_load(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROLAB_PRECISION", "float32")
    experiment = of_two_steps(PARAMS.experiment(name))
    shape, classes = SHAPES[experiment.dataset]
    data = make_training_data(shape, classes)
    pretrained = load_pretrained(experiment, provide_start(experiment, tmp_path, monkeypatch))
    assert (pretrained is None) == (experiment.init_from == RANDOM)
    fit = train(experiment, data, pretrained, 0)
    fits_itself = isinstance(fit.classifier.network, FitsItself)
    assert len(fit.losses) == (1 if fits_itself else 2)
    assert fit.epochs[0].train.loss > 0
    inputs = torch.from_numpy(data.train.inputs)
    logits = predict(fit.classifier, inputs)
    assert logits.shape == (4, classes) and logits.isfinite().all()
    save_model(tmp_path / name, make_model_info(experiment, data.info, name), {0: fit})
    assert torch.equal(predict(load_classifier(tmp_path / name, 0), inputs), logits)
