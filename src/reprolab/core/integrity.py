"""Files whose content is as it was written: their hashes lie beside them."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from reprolab.core.errors import InputError
from reprolab.core.files import Record, file_hash
from reprolab.core.layout import HASHES, SPLIT


class Hashes(Record):
    """The SHA-256 of files in a folder, by their names."""

    sha256: dict[str, str]


def write_hashes(path: Path, files: Iterable[Path]) -> None:
    """Write those of files that lie beside `path`."""
    Hashes(sha256={file.name: file_hash(file) for file in files}).save(path)


def verified(path: Path, needed: Collection[str] = (), remedy: str = "") -> list[str]:
    """The names of the files in `path`. Raises `InputError` where one is missing or is not what was written."""
    found = Hashes.load(path).sha256
    if not set(needed) <= found.keys():
        raise InputError(f"{path} lacks files{remedy}")
    for name, expected in found.items():
        file = path.with_name(name)
        if not file.is_file() or file_hash(file) != expected:
            raise InputError(f"{file} is not what the training wrote{remedy}")
    return list(found)


def verify_model(folder: Path) -> None:
    """Raises `InputError` where a file of a trained model is missing or is not what was written."""
    verified(folder / HASHES, remedy=f": run `dvc repro -f train@{folder.name}`")


def content_hash(part: Any) -> str:
    """The SHA-256 of the inputs and labels of a split's part."""
    digest = hashlib.sha256(part.inputs.tobytes())
    digest.update(part.labels.tobytes())
    return digest.hexdigest()


def verify_part(folder: Path, name: str, part: Any, expected: str) -> None:
    """Raises `InputError` where the examples of a split's part are not those that have the hash."""
    if content_hash(part) != expected:
        raise InputError(
            f"{folder / f'{name}.safetensors'} is damaged, or of another split: its examples are not those that "
            f"{SPLIT} was written for. Run `dvc repro -f split@{folder.name}`"
        )
