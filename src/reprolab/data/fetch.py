"""A data set as published: its files, from `REPROLAB_MIRROR` or the official addresses, and what they hold."""

import hashlib
import os
import shutil
import socket
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import numpy as np

from reprolab.core.config import Source
from reprolab.core.errors import InputError
from reprolab.core.files import atomic_file
from reprolab.core.layout import repository_root

MIRROR_VARIABLE = "REPROLAB_MIRROR"
TIMEOUT_SECONDS = 30


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


def fetch_source(source: Source, folder: Path) -> None:
    """Download, or take from the mirror, what the source needs. Raises `InputError` when it cannot be had."""
    source.module().fetch(folder)


def load_source(source: Source, folder: Path, where: str = "source") -> SourceData:
    """Read what `fetch_source` put into `folder`. Raises `InputError` on a damaged file or a wrong option."""
    data: SourceData = source.bind(where)(folder)
    return data


def fetch_file(dataset: str, names: Mapping[str, Sequence[str]], folder: Path) -> Path:
    """Put one of several equivalent files, given with their official URLs, into `folder`.

    The mirror holds them as `<dataset>/<name>`. Raises `InputError` when none can be had.
    """
    tried = []
    if mirror := os.environ.get(MIRROR_VARIABLE):
        for name in names:
            if fetch_from_mirror(mirror, f"{dataset}/{name}", folder / name):
                return folder / name
        tried.append(f"{MIRROR_VARIABLE} ({mirror}): not there")
    for name, urls in names.items():
        for url in urls:
            try:
                _download(url, folder / name)
                return folder / name
            except OSError as error:
                tried.append(f"{url}: {error}")
    wanted = " or ".join(f"{dataset}/{name}" for name in names)
    attempts = "".join(f"\n  {attempt}" for attempt in tried)
    raise InputError(
        f"{wanted} cannot be had:{attempts}\n"
        f"Connect to the internet, or set {MIRROR_VARIABLE} to a folder or URL that holds {wanted}"
    )


def fetch_from_mirror(mirror: str, name: str, target: Path) -> bool:
    """Copy `name` from the mirror, a folder or a URL, to `target`; False when the mirror lacks it."""
    if mirror.startswith(("http://", "https://")):
        try:
            _download(f"{mirror.rstrip('/')}/{name}", target)
            return True
        except OSError as error:
            if isinstance(error, HTTPError) and error.code == HTTPStatus.NOT_FOUND:
                return False
            raise InputError(f"{MIRROR_VARIABLE}: {mirror}/{name}: {error}. Unset it, or repair the mirror") from None
    folder = repository_root() / mirror
    if not folder.is_dir():
        raise InputError(f"{MIRROR_VARIABLE}: {mirror} is no folder. Unset it, or set it to a folder or an http(s) URL")
    source = folder / name
    if not source.is_file():
        return False
    with atomic_file(target) as partial:
        shutil.copyfile(source, partial)
    return True


def read_arrays(path: Path, names: Sequence[str], advice: str) -> list[np.ndarray]:
    """Arrays of an npz file by name. Raises `InputError` when it cannot be read."""
    try:
        with np.load(path) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}). {advice}") from None


def verify_checksum(path: Path, content: bytes, sha256: str, advice: str) -> None:
    """Raises `InputError` when `content`, which was read from `path`, does not have this SHA-256."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"{path} is damaged or altered: its content has the SHA-256 {found}, expected {sha256}. {advice}"
        )


def verify_numbers(path: Path, what: str, found: Sequence[int], expected: Sequence[int], advice: str) -> None:
    """Raises `InputError` when a shape or counts found in `path` are not the expected ones."""
    if tuple(found) != tuple(expected):
        raise InputError(f"{path} is damaged or altered: {what} {tuple(found)}, expected {tuple(expected)}. {advice}")


def _download(url: str, target: Path) -> None:
    """Raises `OSError`, whatever goes wrong on the way."""
    from torchvision.datasets.utils import download_url

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with atomic_file(target) as partial:
            download_url(url, partial.parent, partial.name)
    except (HTTPException, ValueError, RuntimeError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        socket.setdefaulttimeout(previous)
