"""MNIST: 60,000 training and 10,000 test images of 28×28 grey pixels, ten digits (LeCun et al. 1998).

The files are stored decompressed and verified by the SHA-256 of their content, since a mirror may have
compressed the same content anew.
"""

from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from reprolab.core.errors import InputError
from reprolab.data.fetch import SourceData, fetch_file, gunzip, verify_checksum, verify_numbers

CONTENT_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
IMAGES_HEADER, LABELS_HEADER = 16, 8
COUNTS, SHAPE = {"train": 60_000, "t10k": 10_000}, (1, 28, 28)


def fetch(folder: Path) -> None:
    from torchvision.datasets import MNIST

    for name in CONTENT_SHA256:
        addresses = [f"{url}{name}.gz" for url in MNIST.mirrors]
        archive = fetch_file(
            "mnist", {f"{name}.gz": addresses}, folder, partial(_unpacked, name), 2 * _size(name) + 1000
        )
        (folder / name).write_bytes(_unpacked(name, archive, archive.name))
        archive.unlink()


def _unpacked(name: str, archive: Path, where: str) -> bytes:
    content = gunzip(archive, where, _size(name))
    verify_checksum(where, content, CONTENT_SHA256[name])
    return content


def _size(name: str) -> int:
    """Bytes of an IDX file."""
    part, kind, *_ = name.split("-")
    count = COUNTS[part]
    return IMAGES_HEADER + count * prod(SHAPE) if kind == "images" else LABELS_HEADER + count


def load(folder: Path) -> SourceData:
    advice = f"Run `dvc repro -f download@{folder.name}`"
    content = {}
    for name, sha256 in CONTENT_SHA256.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing. {advice}")
        content[name] = path.read_bytes()
        verify_checksum(path, content[name], sha256, advice)

    def images(part: str) -> np.ndarray:
        pixels = np.frombuffer(content[f"{part}-images-idx3-ubyte"], np.uint8, offset=IMAGES_HEADER)
        return pixels.reshape(-1, *SHAPE)

    def labels(part: str) -> np.ndarray:
        values = np.frombuffer(content[f"{part}-labels-idx1-ubyte"], np.uint8, offset=LABELS_HEADER)
        return values.astype(np.int64)

    for part, count in COUNTS.items():
        verify_numbers(folder, f"{part} images of shape", images(part).shape, (count, *SHAPE), advice)
        verify_numbers(folder, f"{part} labels of shape", labels(part).shape, (count,), advice)
    return SourceData(
        train_inputs=images("train"),
        train_labels=labels("train"),
        test_inputs=images("t10k"),
        test_labels=labels("t10k"),
        classes=tuple("0123456789"),
        provenance="official",
    )
