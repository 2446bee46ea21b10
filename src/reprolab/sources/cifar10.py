"""CIFAR-10: 50,000 training and 10,000 test images of 32×32 colour pixels, ten classes (Krizhevsky 2009).

Two archives are known: the official one, and a stand-in that holds the same images as JPEG of quality 75.
The stand-in is lossy, so whatever is trained on it says so.
"""

import io
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from reprolab.core.errors import InputError
from reprolab.core.progress import progress_bar
from reprolab.data.fetch import SourceData, fetch_file, verify_checksum, verify_numbers

OFFICIAL = "cifar-10-python.tar.gz"
STAND_IN = "cifar10-images.tar.xz"
SHA256 = {
    OFFICIAL: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    STAND_IN: "a74337550e82a92efa2514ab1bb2eedd81d0abe5d34524c4dc8bc6b465450706",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
PER_CLASS = {"train": 5000, "test": 1000}


def fetch(folder: Path) -> None:
    from torchvision.datasets import CIFAR10

    archive = fetch_file("cifar10", {OFFICIAL: [CIFAR10.url], STAND_IN: []}, folder)
    advice = "Repair or replace it where it came from, then run `dvc repro` again"
    verify_checksum(Path(archive.name), archive.read_bytes(), SHA256[archive.name], advice)


def load(folder: Path) -> SourceData:
    advice = f"Run `dvc repro -f download@{folder.name}`"
    archive = next((folder / name for name in SHA256 if (folder / name).is_file()), None)
    if archive is None:
        raise InputError(f"{folder} holds neither {OFFICIAL} nor {STAND_IN}. {advice}")
    verify_checksum(archive, archive.read_bytes(), SHA256[archive.name], advice)
    read = _read_official if archive.name == OFFICIAL else _read_stand_in
    parts = read(archive)
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
    from torchvision.datasets import CIFAR10

    with tempfile.TemporaryDirectory() as extracted:
        with tarfile.open(archive) as tar:
            tar.extractall(extracted, filter="data")
        parts = {part: CIFAR10(extracted, train=part == "train") for part in PER_CLASS}
    return {
        part: (np.ascontiguousarray(images.data.transpose(0, 3, 1, 2)), np.asarray(images.targets, np.int64))
        for part, images in parts.items()
    }


def _read_stand_in(archive: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads `<part>/<class>/<number>.jpg`, in the order of the archive's names."""
    images: dict[str, list[tuple[str, int, np.ndarray]]] = {part: [] for part in PER_CLASS}
    total = sum(PER_CLASS.values()) * len(CLASSES)
    with tarfile.open(archive) as tar, progress_bar(f"reading {archive.name}", total, "images") as bar:
        for member in tar:
            if (file := tar.extractfile(member)) is None:
                continue
            part, class_name, _ = member.name.split("/")
            pixels = np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))
            images[part].append((member.name, CLASSES.index(class_name), pixels.transpose(2, 0, 1)))
            bar.update(1)
    arrays = {}
    for part, found in images.items():
        found.sort(key=lambda image: image[0])
        arrays[part] = (np.stack([image for _, _, image in found]), np.array([label for _, label, _ in found]))
    return arrays
