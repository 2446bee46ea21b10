"""The training loop of the lab sheets, as PyTorch's tutorials write it: a DataLoader of Pillow images, float32."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from reprolab.core.config import Experiment
from reprolab.data.parts import Part, SplitInfo

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class Images(Dataset[tuple[torch.Tensor, int]]):
    """A part, one transformed image after another."""

    def __init__(self, part: Part, transform: Callable[[Image.Image], torch.Tensor]) -> None:
        pixels = part.inputs.transpose(0, 2, 3, 1)
        self.images = [Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in pixels]
        self.labels = part.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def transform_of(experiment: Experiment, side: int) -> Callable[[Image.Image], torch.Tensor]:
    settings = experiment.input
    size = settings.size or side
    steps: Sequence[Any] = [
        *([transforms.Resize((size, size))] if size != side else []),
        *([transforms.RandomCrop(size, padding=settings.crop_padding)] if settings.crop_padding else []),
        *([transforms.RandomHorizontalFlip()] if settings.flip else []),
        transforms.ToTensor(),
        transforms.Normalize(settings.mean, settings.std),
    ]
    compose: Callable[[Image.Image], torch.Tensor] = transforms.Compose(steps)
    return compose


def rate(experiment: Experiment, info: SplitInfo, part: Part) -> float:
    """Images a second, of one epoch of the part, by as many threads as there are cores."""
    torch.set_num_threads(torch.get_num_threads())
    channels, side = info.shape[0], info.shape[1]
    size = experiment.input.size or side
    model: nn.Module = experiment.model.bind("model")((channels, size, size), len(info.classes))
    options = dict(experiment.training.optimizer.options)
    optimizer = OPTIMIZERS[experiment.training.optimizer.name](model.parameters(), **options)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(Images(part, transform_of(experiment, side)), experiment.training.batch_size, shuffle=True)
    model.train()
    running_loss, correct = 0.0, 0
    started = perf_counter()
    for images, labels in loader:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(labels)
        correct += int((outputs.argmax(1) == labels).sum())
    return len(part) / (perf_counter() - started)
