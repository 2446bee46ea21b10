"""Random streams: one for each purpose of a training and each of its epochs, all of them independent.

They come from `numpy.random.SeedSequence`, which hashes what it is given, so that neighbouring seeds and epochs share
nothing (O'Neill 2015, "Developing a seed_seq Alternative").
"""

from typing import Literal

import torch
from numpy.random import SeedSequence

Purpose = Literal["initialisation", "head", "shuffling", "augmentation", "dropout"]
KEYS: dict[Purpose, int] = {"initialisation": 0, "head": 1, "shuffling": 2, "augmentation": 3, "dropout": 4}


def stream(seed: int, purpose: Purpose, number: int = 0) -> int:
    """What to seed a generator with, 32 bits, as many as PyTorch's on a CPU looks at.

    `number` tells the streams of one purpose apart: the epoch, or for a head what tells the weights below it.
    """
    return int(SeedSequence(seed, spawn_key=(KEYS[purpose], number)).generate_state(1)[0])


def generator(seed: int, purpose: Purpose, number: int = 0) -> torch.Generator:
    """On the CPU, whatever the device, so that every device draws the same."""
    return torch.Generator().manual_seed(stream(seed, purpose, number))
