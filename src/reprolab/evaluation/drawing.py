"""What all figures share: their file, and images side by side. Without PyTorch."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from reprolab.core.files import atomic_file
from reprolab.evaluation.canvas import Axes, Figure, own_settings


@own_settings()
def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone."""
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120, metadata={"Software": None})


def draw_tiles(
    axis: Axes, images: Sequence[np.ndarray], columns: int, titles: Sequence[str] = (), **style: Any
) -> None:
    """Images of one size side by side in rows of `columns`: one axis, since many small ones are slow to draw."""
    height, width = images[0].shape[:2]
    for_title = 0.2 * width if titles else 0
    across, down = 1.1 * width, height + for_title + 0.1 * width
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        left, top = column * across, row * down
        extent = (left, left + width, top + height, top)
        axis.imshow(image, extent=extent, interpolation="nearest", **{"cmap": "gray"} | style)
        if titles:
            axis.text(left + width / 2, top, titles[index], ha="center", va="bottom", fontsize=8)
    rows = ceil(len(images) / columns)
    axis.set(xlim=(0, columns * across - 0.1 * width), ylim=((rows - 1) * down + height, -for_title), aspect="equal")
    axis.set_axis_off()


def picture(image: np.ndarray) -> np.ndarray:
    """A stored image (channels, height, width) as Matplotlib has it, with colours where it has three channels."""
    return image.transpose(1, 2, 0) if len(image) == 3 else np.repeat(image[0][..., None], 3, 2)
