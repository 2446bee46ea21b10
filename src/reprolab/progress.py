"""Progress bars on standard error, silent where nobody watches, and a line for each epoch."""

import sys
from typing import TYPE_CHECKING, Never

from tqdm import tqdm

if TYPE_CHECKING:
    from reprolab.checkpoint import Epoch


def progress_bar(what: str, total: int, unit: str) -> "tqdm[Never]":
    """A bar for `total` units of work that is wiped when it closes; call its `update(n)`."""
    return tqdm(desc=what, total=total, unit=f" {unit}", unit_scale=True, leave=False, disable=not sys.stderr.isatty())


def report_epoch(name: str, seed: int, epoch: "Epoch") -> None:
    """A line for an epoch that has ended."""
    validation = f", validation accuracy {epoch.validation['accuracy']:.4f}" if epoch.validation else ""
    print(
        f"{name}, seed {seed}, epoch {epoch.number}: loss {epoch.train['loss']:.4f}, "
        f"accuracy {epoch.train['accuracy']:.4f}{validation} ({epoch.images_per_second:,.0f} images/s)",
        flush=True,
    )
