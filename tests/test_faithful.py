"""LeNet-5 trained the lab sheet's own way gives the sheet's own figures: the architecture is exact."""

import pytest
import torch
import torch.nn.functional as F

from reprolab.architectures.lenet5 import build
from reprolab.data.fetch import SourceData
from reprolab.sources.mnist import load
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
