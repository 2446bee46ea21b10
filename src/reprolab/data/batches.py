"""Batches from one array that stays on the device: shuffled and augmented there, without worker processes."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from reprolab.core.config import Input
from reprolab.data.parts import Part
from reprolab.data.streams import generator


class Batches:
    """The examples of a part in a new random order each epoch, the last batch smaller where need be."""

    def __init__(self, part: Part, batch_size: int, augmentation: Input, device: str) -> None:
        self.inputs, self.labels = part.on(device)
        self.batch_size = batch_size
        self.augmentation = augmentation

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / self.batch_size)

    def epoch(self, seed: int, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Order and augmentation depend on the seed and the epoch's number alone."""
        augmenting = generator(seed, "augmentation", number)
        order = torch.randperm(len(self.labels), generator=generator(seed, "shuffling", number))
        order = order.to(self.labels.device)
        for chosen in order.split(self.batch_size):
            inputs = self.inputs[chosen]
            if self.augmentation.crop_padding:
                inputs = random_crop(inputs, self.augmentation.crop_padding, augmenting)
            if self.augmentation.flip:
                inputs = random_flip(inputs, augmenting)
            yield inputs, self.labels[chosen]


def random_crop(images: torch.Tensor, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Shift each image (n, c, h, w) by up to `padding` pixels each way; what comes in is black."""
    n, _, height, width = images.shape
    shifts = torch.randint(2 * padding + 1, (2, n, 1), generator=generator).to(images.device)
    rows = (shifts[0] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (shifts[1] + torch.arange(width, device=images.device))[:, None, None, :]
    padded = F.pad(images, (padding,) * 4)
    return padded[
        torch.arange(n, device=images.device)[:, None, None, None],
        torch.arange(images.shape[1], device=images.device)[:, None, None],
        rows,
        columns,
    ]


def random_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror each image (n, c, h, w) left to right with probability ½."""
    mirrored = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
