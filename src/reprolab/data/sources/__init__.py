"""One module a source: `fetch` puts its verified files into a folder, `load` reads that folder.

The options of `params.yaml` are keyword-only parameters of `load`: what is fetched depends on the source alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from reprolab.components import component_function
from reprolab.config import Component


@dataclass(frozen=True)
class SourceData:
    """A data set as published; the test part is None where none is.

    Images are uint8 (n, channels, height, width) and tables float32 (n, features); labels are int64 (n,) and
    index `classes`. `provenance` is "official", or says in what way the data differ from the official ones.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray | None
    test_labels: np.ndarray | None
    classes: tuple[str, ...]
    provenance: str


class Fetch(Protocol):
    def __call__(self, folder: Path) -> None: ...


class Load(Protocol):
    def __call__(self, folder: Path, **options: object) -> SourceData: ...


def fetch_source(source: Component, folder: Path) -> None:
    """Download, or take from the mirror, what the source needs. Raises `InputError` when it cannot be had."""
    cast(Fetch, component_function("data.sources", "fetch", Component(name=source.name), "source"))(folder)


def load_source(source: Component, folder: Path, where: str = "source") -> SourceData:
    """Read what `fetch_source` put into `folder`. Raises `InputError` on a damaged file or a wrong option."""
    return cast(Load, component_function("data.sources", "load", source, where))(folder, **source.options)
