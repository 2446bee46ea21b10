"""What the lab sheets report comes about here too: on their data, trained their way."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from reprolab.architectures.lenet5 import build
from reprolab.core.config import load_params
from reprolab.data.fetch import SourceData
from reprolab.data.parts import TrainingData
from reprolab.data.split import make_split, save_split
from reprolab.sources.mnist import load
from reprolab.training.run import train
from tests.factories import REPOSITORY

RAW = REPOSITORY / "data" / "raw" / "mnist"


class SheetImages(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Pillow images through torchvision's transforms, as in the sheet."""

    def __init__(self, source: SourceData) -> None:
        from torchvision import transforms

        self.images, self.labels = source.train_inputs[:, 0], source.train_labels
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.Resize((32, 32)),
                transforms.ToTensor(),
                transforms.Normalize((0.1307,), (0.3081,)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


@pytest.mark.slow
def test_the_sheet_s_first_epoch_to_four_digits() -> None:
    torch.manual_seed(42)
    loader = torch.utils.data.DataLoader(SheetImages(load(RAW)), batch_size=128, shuffle=True)
    network = build((1, 32, 32), 10, activation="tanh", pooling="average")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    losses, right = [], 0
    for images, labels in loader:
        optimizer.zero_grad()
        logits = network(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right += int((logits.argmax(1) == labels).sum())
    assert round(sum(losses) / len(losses), 4) == 0.5815
    assert round(right / 60_000, 4) == 0.8415


@pytest.fixture(scope="module")
def mnist900(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    params, source = load_params(REPOSITORY / "params.yaml"), load(RAW)
    parts = make_split(source, params.dataset("mnist900").split)
    folder: Path = tmp_path_factory.mktemp("mnist900")
    return TrainingData(save_split(parts, source, "mnist900", folder), parts["train"], parts["validation"])


def last_epoch(name: str, data: TrainingData) -> tuple[float, float]:
    """Accuracy on the training part, and loss on the validation part, of the first seed."""
    experiment = load_params(REPOSITORY / "params.yaml").experiment(name)
    epoch = train(experiment, data, None, experiment.training.seeds[0]).epochs[-1]
    assert epoch.validation
    return epoch.train.accuracy, epoch.validation.loss


@pytest.mark.slow
def test_weight_decay_helps_a_deep_mlp_on_raw_pixels_and_ruins_it_on_standardised_ones(mnist900: TrainingData) -> None:
    overfitted, regularised = (last_epoch(name, mnist900) for name in ("deep-mlp", "deep-mlp-decay"))
    assert overfitted[0] == regularised[0] == 1.0
    assert regularised[1] < 0.85 < overfitted[1]
    scaled = last_epoch("deep-mlp-decay-standardised", mnist900)
    assert scaled[0] < 0.6 and scaled[1] > 1.5
