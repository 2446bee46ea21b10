"""MNIST and CIFAR-10 as published, and that damaged files are refused."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from PIL import Image

from reprolab.core.errors import InputError
from reprolab.data.fetch import SourceData
from reprolab.sources import cifar10, mnist
from tests.factories import NO_MORE

pytestmark = pytest.mark.usefixtures("no_network")


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def archive_of(members: dict[str, bytes], mode: Literal["w:gz", "w:xz"]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def test_without_network_and_mirror_nothing_is_fetched(target: Path) -> None:
    name = "mnist/train-images-idx3-ubyte.gz"
    with pytest.raises(InputError, match=rf"(?s)^{name} cannot be had.*set REPROLAB_MIRROR to .* that holds {name}"):
        mnist.fetch(target)
    assert list(target.iterdir()) == []


@pytest.fixture
def mnist_files(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The mirror holds an MNIST of 3 training and 2 test images."""
    generator = np.random.default_rng(0)
    files = {}
    for part, count in (("train", 3), ("t10k", 2)):
        monkeypatch.setitem(mnist.COUNTS, part, count)
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8).tobytes()
        files[f"{part}-images-idx3-ubyte"] = struct.pack(">IIII", 0x803, count, 28, 28) + pixels
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">II", 0x801, count) + bytes(range(7, 7 + count))
    for name, content in files.items():
        put(mirror / "mnist" / f"{name}.gz", gzip.compress(content))
        monkeypatch.setitem(mnist.CONTENT_SHA256, name, hashlib.sha256(content).hexdigest())
    return files


def test_mnist_is_read_from_idx_files(target: Path, mnist_files: dict[str, bytes]) -> None:
    mnist.fetch(target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == mnist_files
    data = mnist.load(target)
    assert data.test_inputs is not None and data.test_labels is not None
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((3, 1, 28, 28), (2, 1, 28, 28))
    assert data.train_inputs.tobytes() == mnist_files["train-images-idx3-ubyte"][16:]
    assert data.test_inputs.tobytes() == mnist_files["t10k-images-idx3-ubyte"][16:]
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([7, 8, 9], [7, 8])
    assert data.provenance == "official"


@pytest.mark.parametrize("why", ["truncated or damaged", "damaged or altered"])
def test_damaged_mnist_download_is_refused_by_name_and_leaves_nothing(
    why: str,
    tmp_path: Path,
    target: Path,
    mirror: Path,
    mnist_files: dict[str, bytes],
    run_stage: Callable[..., object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = mirror / "mnist" / "train-images-idx3-ubyte.gz"
    content = mnist_files[path.stem]
    altered = gzip.compress(content[:-1] + bytes([content[-1] ^ 1]))
    path.write_bytes(altered if why == "damaged or altered" else path.read_bytes()[:-100])
    with pytest.raises(InputError, match=rf"^mnist/{path.name} cannot be had:\n  {path} is {why}"):
        mnist.fetch(target)
    source = "{source: {name: mnist}, split: {validation: 1, seed: 0}}"
    (tmp_path / "params.yaml").write_text(f"datasets: {{mnist: {source}}}\n{NO_MORE}")
    assert run_stage("download", "mnist", "data/raw/mnist") == 1
    reported = capsys.readouterr().err
    assert f"{path} is {why}" in reported
    assert "Traceback" not in reported
    assert list((tmp_path / "data" / "raw").iterdir()) == []


def jpeg(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


@pytest.fixture
def stand_in(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror holds a stand-in of 2 training and 1 test images a class, archived back to front.

    The red of an image stands for its class, the green for its number, the blue for its part.
    """
    monkeypatch.setattr(cifar10, "PER_CLASS", {"train": 2, "test": 1})
    images = {
        f"{part}/{name}/{number:04}.jpg": jpeg((25 * label, 100 * number, blue))
        for part, count, blue in (("train", 2, 0), ("test", 1, 200))
        for label, name in enumerate(cifar10.CLASSES)
        for number in range(count)
    }
    archive = archive_of(dict(reversed(images.items())), "w:xz")
    put(mirror / "cifar10" / cifar10.STAND_IN, archive)
    monkeypatch.setitem(cifar10.SHA256, cifar10.STAND_IN, hashlib.sha256(archive).hexdigest())


def test_cifar10_stand_in_is_read_in_the_order_of_its_names(target: Path, stand_in: None) -> None:
    cifar10.fetch(target)
    data = cifar10.load(target)
    assert data.test_inputs is not None and data.test_labels is not None
    assert data.provenance == "JPEG stand-in (quality 75)"
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((20, 3, 32, 32), (10, 3, 32, 32))
    assert data.train_inputs.dtype == np.uint8
    assert data.train_labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert data.test_labels.tolist() == list(range(10))
    for inputs, per_class, blue in ((data.train_inputs, 2, 0), (data.test_inputs, 1, 200)):
        colours = [(25 * label, 100 * number, blue) for label in range(10) for number in range(per_class)]
        np.testing.assert_allclose(inputs[:, :, 16, 16], colours, atol=4)


def test_cifar10_archive_that_lacks_images_is_refused(target: Path, stand_in: None) -> None:
    cifar10.fetch(target)
    cifar10.PER_CLASS["train"] = 3
    with pytest.raises(InputError, match=r"shape \(20, 3, 32, 32\), expected \(30, 3, 32, 32\)"):
        cifar10.load(target)


PicklerInPython: Any = pickle._Pickler


class Python2Pickler(PicklerInPython):  # type: ignore[misc]
    """Text is bytes in its pickles, as in the official archive, which Python 2 wrote."""

    dispatch: ClassVar[dict[type, Any]] = dict(PicklerInPython.dispatch)

    def save_bytes(self, content: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(content)

    dispatch[bytes] = save_bytes
    dispatch[str] = lambda self, text: self.save_bytes(text.encode("latin1"))


def python2_pickle(content: object) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"numpy._core.", b"numpy.core.")


def test_official_cifar10_is_preferred_and_keeps_its_order(
    target: Path, mirror: Path, stand_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "PER_CLASS", {"train": 5, "test": 1})
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3 * 32 * 32), dtype=np.uint8)
    labels = [[(label + batch) % 10 for label in range(10)] for batch in range(6)]
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    files = {
        name: python2_pickle({"batch_label": name, "data": rows, "labels": values})
        for name, rows, values in zip(names, pixels, labels, strict=True)
    }
    files["batches.meta"] = python2_pickle({"label_names": list(cifar10.CLASSES)})
    archive = archive_of({f"cifar-10-batches-py/{name}": content for name, content in files.items()}, "w:gz")
    put(mirror / "cifar10" / cifar10.OFFICIAL, archive)
    monkeypatch.setitem(cifar10.SHA256, cifar10.OFFICIAL, hashlib.sha256(archive).hexdigest())
    cifar10.fetch(target)
    data = cifar10.load(target)
    assert data.test_inputs is not None and data.test_labels is not None
    assert data.provenance == "official"
    np.testing.assert_array_equal(data.train_inputs, pixels[:5].reshape(50, 3, 32, 32))
    np.testing.assert_array_equal(data.test_inputs, pixels[5].reshape(10, 3, 32, 32))
    assert data.train_labels.tolist() == [label for batch in labels[:5] for label in batch]
    assert data.test_labels.tolist() == labels[5]


class Calls:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.mkdir, ("made-by-a-pickle",))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (
            {"cifar-10-batches-py/test_batch": pickle.dumps({"data": Calls()}, protocol=2)},
            "calls posix.mkdir, which no",
        ),
        ({"test_batch": b"cbuiltins\neval\n(S'1'\ntR."}, "calls builtins.eval, which no data does"),
        ({"test_batch": b"no pickle"}, "no pickle of plain data"),
        ({"test_batch": bytes(4 * 10**7 + 1)}, "has 40,000,001 bytes, more than 40,000,000"),
        ({f"{number}": bytes(39 * 10**6) for number in range(11)}, "unpacks to more than 400,000,000 bytes"),
        ({"test_batch": pickle.dumps([1])}, "cannot be read"),
        ({}, "cannot be read"),
    ],
    ids=["call", "eval", "no pickle", "large member", "bomb", "no batch", "empty"],
)
def test_an_archive_that_is_not_data_does_nothing_and_takes_no_more_than_its_limit(
    members: dict[str, bytes], why: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(members, "w:gz")
    monkeypatch.chdir(target)
    put(target / cifar10.OFFICIAL, archive)
    with pytest.raises(InputError, match="is damaged or altered: its content has the SHA-256"):
        cifar10.load(target)
    # Even if its checksum were the right one.
    monkeypatch.setitem(cifar10.SHA256, cifar10.OFFICIAL, hashlib.sha256(archive).hexdigest())
    with pytest.raises(InputError, match=why):
        cifar10.load(target)
    assert [path.name for path in target.iterdir()] == [cifar10.OFFICIAL]


def test_links_and_paths_of_an_archive_reach_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, kind, link in (
            ("../outside.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            ("train/cat/0000.jpg", tarfile.LNKTYPE, "/etc/passwd"),
            ("/absolute.jpg", tarfile.CHRTYPE, ""),
        ):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, link
            tar.addfile(header)
    put(target / cifar10.STAND_IN, buffer.getvalue())
    monkeypatch.setitem(cifar10.SHA256, cifar10.STAND_IN, hashlib.sha256(buffer.getvalue()).hexdigest())
    with pytest.raises(InputError, match="cannot be read"):
        cifar10.load(target)
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize(
    ("name", "size", "format_", "why"),
    [
        ("train/cat/0000.jpg", (4000, 4000), "JPEG", "has 4000×4000 pixels"),
        ("train/cat/0000.jpg", (32, 32), "BMP", "cannot identify image file"),
        ("train/fish/0000.jpg", (32, 32), "JPEG", "ValueError"),
        ("0000.jpg", (32, 32), "JPEG", "ValueError"),
        ("other/cat/0000.jpg", (32, 32), "JPEG", "KeyError"),
    ],
)
def test_a_stand_in_of_other_images_is_refused(
    name: str, size: tuple[int, int], format_: str, why: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, format_)
    archive = archive_of({name: buffer.getvalue()[: cifar10.MOST_OF_IMAGE]}, "w:xz")
    put(target / cifar10.STAND_IN, archive)
    monkeypatch.setitem(cifar10.SHA256, cifar10.STAND_IN, hashlib.sha256(archive).hexdigest())
    with pytest.raises(InputError, match=rf"cannot be read \(.*{why}"):
        cifar10.load(target)


@pytest.mark.parametrize("name", [cifar10.OFFICIAL, cifar10.STAND_IN])
def test_altered_cifar10_download_is_refused(name: str, target: Path, mirror: Path) -> None:
    put(mirror / "cifar10" / name, b"another archive")
    with pytest.raises(InputError, match=rf"cifar10/{name} is damaged or altered"):
        cifar10.fetch(target)


@pytest.mark.parametrize(
    ("load", "name"),
    [(mnist.load, "train-images-idx3-ubyte"), (cifar10.load, cifar10.OFFICIAL), (cifar10.load, cifar10.STAND_IN)],
)
def test_bad_file_is_refused_when_read(load: Callable[[Path], SourceData], name: str, target: Path) -> None:
    with pytest.raises(InputError, match=rf"{name}.*. Run `dvc repro -f download@target`"):
        load(target)
    put(target / name, b"altered")
    with pytest.raises(InputError, match=rf"{name} is damaged or altered.*un `dvc repro -f download@target`"):
        load(target)
