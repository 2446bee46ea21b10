"""Points in the unit square on two sides of a line: what a perceptron can learn. Generated, so there is no download."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from reprolab.core.bounds import Seed
from reprolab.data.fetch import SourceData

CLASSES = ("below the line", "above the line")
SMALLEST_SHARE = 0.25

Examples = Annotated[int, Field(ge=20, le=1_000_000)]
Margin = Annotated[float, Field(ge=0, le=0.2)]


def fetch(folder: Path) -> None:
    """Nothing to fetch: `load` generates the points."""


def load(folder: Path, *, examples: Examples, margin: Margin = 0.05, seed: Seed) -> SourceData:
    """`margin` is the least distance of a point from the line."""
    return SourceData(*_generate(examples, margin, seed), None, None, CLASSES, "official")


def _generate(examples: int, margin: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) float32 and labels (n,): a random line through the middle of the square, no point within
    `margin` of it, and at least a quarter of the points on each side."""
    generator = np.random.default_rng(seed)
    while True:
        angle = generator.uniform(0, 2 * np.pi)
        normal = np.array([np.cos(angle), abs(np.sin(angle))])  # points up: label 1 is above the line
        through = generator.uniform(0.35, 0.65, 2)
        candidates = generator.random((20 * examples, 2), dtype=np.float32)
        distance = (candidates - through) @ normal
        kept = np.flatnonzero(np.abs(distance) >= margin)[:examples]
        labels = (distance[kept] > 0).astype(np.int64)
        if len(kept) == examples and SMALLEST_SHARE <= labels.mean() <= 1 - SMALLEST_SHARE:
            return candidates[kept], labels
