"""A data set as published: its files, from `REPROLAB_MIRROR` or the official addresses, and what they hold."""

import base64
import gzip
import hashlib
import os
import sys
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request

import numpy as np

from reprolab.core.config import Source
from reprolab.core.errors import InputError
from reprolab.core.files import atomic_file, file_hash
from reprolab.core.layout import repository_root
from reprolab.core.progress import progress_bar

MIRROR_VARIABLE = "REPROLAB_MIRROR"
TIMEOUT_SECONDS = 30
BLOCK = 2**20  # bytes
MOST_OF_ARRAYS = 2**24  # bytes of a bundled data set


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


def fetch_file(
    dataset: str,
    names: Mapping[str, Sequence[str]],
    folder: Path,
    verify: Callable[[Path, str], object],
    most: int,
) -> Path:
    """Put one of several equivalent files, given with their official addresses, into `folder`.

    The mirror holds them as `<dataset>/<name>` and is asked first; each address is tried until one gives a file of at
    most so many bytes that `verify(path, address)` does not refuse by an `InputError` that begins with the address.
    Raises `InputError`, with the outcome of every address, when none does.
    """
    places: list[tuple[str, str]] = []
    failed: list[str] = []
    absent: list[str] = []
    if mirror := os.environ.get(MIRROR_VARIABLE):
        if _is_address(mirror):
            places += [(name, f"{mirror.rstrip('/')}/{dataset}/{name}") for name in names]
        elif (repository_root() / mirror).is_dir():
            places += [(name, str(repository_root() / mirror / dataset / name)) for name in names]
        else:
            failed.append(f"{MIRROR_VARIABLE}: {mirror} is no folder and no http(s) address")
    places += [(name, address) for name, addresses in names.items() for address in addresses]
    for name, address in places:
        try:
            with atomic_file(folder / name) as partial:
                _take(address, partial, most)
                _refuse_page(partial, address)
                verify(partial, address)
        except InputError as error:
            failed.append(str(error))
        except (OSError, HTTPException, ValueError) as error:
            (absent if _is_absent(error) else failed).append(f"{address}: {_reason(error)}")
        else:
            for outcome in failed:
                print(f"note: {outcome}; {name} is from {address}", file=sys.stderr)
            return folder / name
    wanted = " or ".join(f"{dataset}/{name}" for name in names)
    outcomes = [*failed, *absent] or [f"{MIRROR_VARIABLE} is not set"]
    raise InputError(
        "\n  ".join([f"{wanted} cannot be had:", *outcomes])
        + f"\nConnect to the internet, or set {MIRROR_VARIABLE} to a folder or URL that holds {wanted}, undamaged"
    )


def _is_address(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _is_absent(error: Exception) -> bool:
    """A mirror need not have every file."""
    return isinstance(error, FileNotFoundError) or (isinstance(error, HTTPError) and error.code == HTTPStatus.NOT_FOUND)


def _take(address: str, target: Path, most: int) -> None:
    """Copy a file, or download it. Raises what files, sockets and addresses raise, and `InputError` when it is too
    large."""
    if not _is_address(address):
        with Path(address).open("rb") as source, target.open("wb") as file:
            _copy(source, file, address, most)
        return
    with open_address(address, TIMEOUT_SECONDS) as source, target.open("wb") as file:
        expected = int(source.headers.get("Content-Length") or 0)
        with progress_bar(target.name, expected or None, "B") as bar:
            size = _copy(source, file, address, most, bar.update)
    if size < expected:
        raise InputError(f"{address} ended after {size:,} of {expected:,} bytes")


def open_address(address: str, seconds: float) -> Any:
    """The answer of an http(s) address, which may hold a user and a password. Raises what sockets and addresses do."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    headers = {"User-Agent": "reprolab"}
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    return urllib.request.urlopen(Request(parts._replace(netloc=host).geturl(), headers=headers), timeout=seconds)


def _copy(
    source: IO[bytes], target: IO[bytes], address: str, most: int, on_bytes: Callable[[int], object] = lambda n: None
) -> int:
    size = 0
    while block := source.read(BLOCK):
        size += len(block)
        if size > most:
            raise InputError(f"{address} has more than {most:,} bytes, which is not the file that it should be")
        target.write(block)
        on_bytes(len(block))
    return size


def _refuse_page(path: Path, address: str) -> None:
    """What a network that asks for a login, or a page about an error, gives in place of any file."""
    with path.open("rb") as file:
        start = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{address} is a web page, not the file")


def _reason(error: Exception) -> str:
    match error:
        case HTTPError():
            return f"HTTP status {error.code}, {error.reason}"
        case URLError():
            return str(error.reason)
        case FileNotFoundError() | NotADirectoryError():
            return "not there"
        case OSError(strerror=str(text)):
            return text
        case _:
            return f"{type(error).__name__}: {error}"


def gunzip(path: Path, where: str, most: int) -> bytes:
    """The content of a gzip file, at most so many bytes. Raises `InputError`, which begins with `where`."""
    try:
        with gzip.open(path) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where} is truncated or damaged ({error}), expected a gzip file") from None
    if len(content) > most:
        raise InputError(f"{where} is damaged or altered: it unpacks to more than {most:,} bytes")
    return content


def read_arrays(path: Path, names: Sequence[str], advice: str) -> list[np.ndarray]:
    """Arrays of an npz file by name. Raises `InputError` when it cannot be read."""
    try:
        verify_unpacked_size(path, MOST_OF_ARRAYS)
        with np.load(path) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}). {advice}") from None


def verify_unpacked_size(path: Path, most: int) -> None:
    """Raises ValueError when the members of a zip file unpack to more than so many bytes."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes, more than {most:,}")


def verify_checksum(where: Path | str, content: bytes, sha256: str, advice: str = "") -> None:
    """Raises `InputError` when `content`, which was read from there, does not have this SHA-256."""
    _verify_digest(where, hashlib.sha256(content).hexdigest(), sha256, advice)


def verify_file(path: Path, where: Path | str, sha256: str, advice: str = "") -> None:
    """As `verify_checksum`, of a file as it is, without reading it into memory."""
    if not path.is_file():
        raise InputError(f"{where} is missing. {advice}".rstrip())
    _verify_digest(where, file_hash(path), sha256, advice)


def _verify_digest(where: Path | str, found: str, expected: str, advice: str) -> None:
    if found != expected:
        text = f"{where} is damaged or altered: its content has the SHA-256 {found}, expected {expected}. {advice}"
        raise InputError(text.rstrip(" ."))


def verify_numbers(
    where: Path | str, what: str, found: Sequence[int], expected: Sequence[int], advice: str = ""
) -> None:
    """Raises `InputError` when a shape or counts found there are not the expected ones."""
    if tuple(found) != tuple(expected):
        text = f"{where} is damaged or altered: {what} {tuple(found)}, expected {tuple(expected)}. {advice}"
        raise InputError(text.rstrip(" ."))
