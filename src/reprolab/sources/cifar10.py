"""CIFAR-10: 50,000 training and 10,000 test images of 32×32 colour pixels, ten classes (Krizhevsky 2009).

Two archives are known: the official one, and a stand-in that holds the same images as JPEG of quality 75.
The stand-in is lossy, so whatever is trained on it says so.
"""

import codecs
import gzip
import io
import lzma
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import numpy as np
from PIL import Image

from reprolab.core.errors import InputError
from reprolab.core.progress import progress_bar
from reprolab.data.fetch import SourceData, fetch_file, verify_file, verify_numbers

OFFICIAL = "cifar-10-python.tar.gz"
STAND_IN = "cifar10-images.tar.xz"
SHA256 = {
    OFFICIAL: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    STAND_IN: "a74337550e82a92efa2514ab1bb2eedd81d0abe5d34524c4dc8bc6b465450706",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
PER_CLASS = {"train": 5000, "test": 1000}
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
RECONSTRUCT = np.zeros(0).__reduce__()[0]
# Bytes: the official archive has 170,498,071, its batches 31,035,704 or less, and the images of all 184,320,000.
MOST_PACKED, MOST_UNPACKED, MOST_OF_BATCH, MOST_OF_IMAGE = 2 * 10**8, 4 * 10**8, 4 * 10**7, 10**5


def fetch(folder: Path) -> None:
    from torchvision.datasets import CIFAR10

    def verify(archive: Path, address: str) -> None:
        verify_file(archive, address, SHA256[address.rpartition("/")[2]])

    fetch_file("cifar10", {OFFICIAL: [CIFAR10.url], STAND_IN: []}, folder, verify, MOST_PACKED)


def load(folder: Path) -> SourceData:
    advice = f"Run `dvc repro -f download@{folder.name}`"
    archive = next((folder / name for name in SHA256 if (folder / name).is_file()), None)
    if archive is None:
        raise InputError(f"{folder} holds neither {OFFICIAL} nor {STAND_IN}. {advice}")
    # Before anything is unpacked: what is unpacked then is what has been published.
    verify_file(archive, archive, SHA256[archive.name], advice)
    read = _read_official if archive.name == OFFICIAL else _read_stand_in
    try:
        parts = read(archive)
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error, ValueError, LookupError) as error:
        raise InputError(f"{archive} cannot be read ({type(error).__name__}: {error}). {advice}") from None
    for part, (inputs, labels) in parts.items():
        shape, counts = (PER_CLASS[part] * len(CLASSES), *SHAPE), (PER_CLASS[part],) * len(CLASSES)
        verify_numbers(archive, f"{part} images of shape", inputs.shape, shape, advice)
        verify_numbers(archive, f"{part} images a class", np.bincount(labels).tolist(), counts, advice)
    return SourceData(
        *parts["train"],
        *parts["test"],
        classes=CLASSES,
        provenance="official" if archive.name == OFFICIAL else "JPEG stand-in (quality 75)",
    )


def _read_official(archive: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads `cifar-10-batches-py/data_batch_1` to `_5` and `test_batch`: pickles of rows (n, 3072) and labels."""
    batches = {
        name.rpartition("/")[2]: load_plain(content)
        for name, content in _members(archive, MOST_OF_BATCH)
        if name.rpartition("/")[2] in BATCHES["train"] + BATCHES["test"]
    }
    arrays = {}
    for part, names in BATCHES.items():
        images = np.concatenate([batches[name]["data"] for name in names]).reshape(-1, *SHAPE)
        labels = np.concatenate([batches[name]["labels"] for name in names])
        arrays[part] = (images.astype(np.uint8, casting="safe"), labels.astype(np.int64, casting="safe"))
    return arrays


def _read_stand_in(archive: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads `<part>/<class>/<number>.jpg`, in the order of the archive's names."""
    images: dict[str, list[tuple[str, int, np.ndarray]]] = {part: [] for part in PER_CLASS}
    total = sum(PER_CLASS.values()) * len(CLASSES)
    with progress_bar(f"reading {archive.name}", total, "images") as bar:
        for name, content in _members(archive, MOST_OF_IMAGE):
            part, class_name, _ = name.split("/")
            image = Image.open(io.BytesIO(content), formats=["JPEG"])
            if image.size != SHAPE[1:]:
                raise ValueError(f"{name} has {image.size[0]}×{image.size[1]} pixels")
            pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
            images[part].append((name, CLASSES.index(class_name), pixels))
            bar.update(1)
    arrays = {}
    for part, found in images.items():
        found.sort(key=lambda image: image[0])
        arrays[part] = (np.stack([image for _, _, image in found]), np.array([label for _, label, _ in found]))
    return arrays


def _members(archive: Path, most_each: int) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, one after the other, and never on disk: no path and no link of it has a meaning.

    Raises ValueError when a file, or all together, have more bytes than they may.
    """
    unpack: Any = gzip.open if archive.suffix == ".gz" else lzma.open
    with (
        unpack(archive) as unpacked,
        tarfile.open(fileobj=cast(IO[bytes], Limited(unpacked, MOST_UNPACKED)), mode="r|") as tar,
    ):
        for member in tar:
            if not member.isfile():
                continue
            if member.size > most_each:
                raise ValueError(f"{member.name} has {member.size:,} bytes, more than {most_each:,}")
            file = tar.extractfile(member)
            assert file
            yield member.name, file.read()


class Limited:
    """A stream that raises ValueError when more than `most` bytes are read from it."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.left, self.most = stream, most, most

    def read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"it unpacks to more than {self.most:,} bytes")
        return content


class PlainUnpickler(pickle.Unpickler):
    """Of arrays, numbers, text and what holds them: it calls nothing that the file names otherwise."""

    ALLOWED: ClassVar = {
        # NumPy has moved it since the archive was made.
        ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): codecs.encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise ValueError(f"it calls {module}.{name}, which no data does")
        return self.ALLOWED[module, name]


def load_plain(content: bytes) -> Any:
    """Raises ValueError when it is no pickle of plain data."""
    try:
        return PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, LookupError, MemoryError) as error:
        raise ValueError(f"no pickle of plain data: {error}") from None
