"""Where files come from: the mirror, then the official addresses."""

import gzip
import threading
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from reprolab.core.errors import InputError
from reprolab.data.fetch import fetch_file, gunzip, read_arrays

MOST = 1000  # bytes
UNREACHABLE = "https://data.example/file.bin"

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def mirror(mirror: Path) -> Path:
    """It holds numbers/file.bin and official.bin."""
    (mirror / "numbers").mkdir()
    (mirror / "numbers" / "file.bin").write_bytes(b"mirrored")
    (mirror / "official.bin").write_bytes(b"official")
    return mirror


def fetch(names: Mapping[str, Sequence[str]], target: Path, good: Sequence[bytes] = (b"mirrored", b"official")) -> Path:
    def verify(path: Path, address: str) -> None:
        if path.read_bytes() not in good:
            raise InputError(f"{address} is damaged")

    return fetch_file("numbers", names, target, verify, MOST)


@pytest.mark.parametrize("over_http", [False, True])
def test_mirror_is_asked_before_the_official_address(
    over_http: bool,
    target: Path,
    mirror: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", server if over_http else str(mirror))
    official = [UNREACHABLE, f"{server}/official.bin"]
    there = fetch({"file.bin": official}, target)
    assert "note" not in capsys.readouterr().err
    lacking = fetch({"other.bin": official}, target)
    assert (there.read_bytes(), lacking.read_bytes()) == (b"mirrored", b"official")
    assert {there, lacking} == set(target.iterdir())
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert notes == [f"note: {UNREACHABLE}: no network; other.bin is from {server}/official.bin"]


def test_an_error_names_every_address_with_its_outcome_and_what_to_do(target: Path, mirror: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch({"a.bin": [UNREACHABLE], "b.bin": []}, target)
    assert str(error.value).splitlines() == [
        "numbers/a.bin or numbers/b.bin cannot be had:",
        f"  {UNREACHABLE}: no network",
        f"  {mirror}/numbers/a.bin: not there",
        f"  {mirror}/numbers/b.bin: not there",
        "Connect to the internet, or set REPROLAB_MIRROR to a folder or URL that holds numbers/a.bin or numbers/b.bin, "
        "undamaged",
    ]
    assert list(target.iterdir()) == []


PAGE = b"\n<!DOCTYPE html><html><title>Please log in</title></html>"


class Answers(BaseHTTPRequestHandler):
    """What is wrong with a server is in the address."""

    def do_GET(self) -> None:
        status, length, content = {
            "/forbidden/numbers/file.bin": (403, None, b""),
            "/error/numbers/file.bin": (500, None, b""),
            "/page": (200, None, PAGE),
            "/altered": (200, None, b"altered"),
            "/short": (200, 100, b"official"),
            "/endless": (200, None, b"x" * (MOST + 1)),
            "/good": (200, None, b"official"),
            "/closed": (
                200 if self.headers["Authorization"] == "Basic YWwxY2U6dzAvbmRlcg==" else 401,
                None,
                b"official",
            ),
        }.get(self.path, (404, None, b""))
        self.send_response(status)
        if length:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def bad_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("mirror_path", "address", "why"),
    [
        ("/forbidden", "", "HTTP status 403, Forbidden"),
        ("/error", "", "HTTP status 500"),
        ("", "/page", "is a web page, not the file"),
        ("", "/altered", "is damaged"),
        ("", "/short", "ended after 8 of 100 bytes"),
        ("", "/endless", "has more than 1,000 bytes"),
    ],
)
def test_the_next_address_is_tried_after_a_bad_answer(
    mirror_path: str,
    address: str,
    why: str,
    target: Path,
    bad_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if mirror_path:
        monkeypatch.setenv("REPROLAB_MIRROR", f"{bad_server}{mirror_path}")
    bad = f"{bad_server}{address}" if address else f"{bad_server}{mirror_path}/numbers/file.bin"
    addresses = [bad] if address else []
    found = fetch({"file.bin": [*addresses, f"{bad_server}/good"]}, target)
    assert found.read_bytes() == b"official"
    printed = capsys.readouterr().err
    assert f"note: {bad}" in printed and why in printed
    with pytest.raises(InputError, match=rf"cannot be had:\n  {bad}.*{why}(.|\n)*gone: HTTP status 404"):
        fetch({"file.bin": [*addresses, f"{bad_server}/gone"]}, target, ())
    assert list(target.iterdir()) == [target / "file.bin"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("absent", "REPROLAB_MIRROR: absent is no folder"),
        ("file:///tmp", "REPROLAB_MIRROR: file:///tmp is no folder"),
        ("https://mirror.example", "https://mirror.example/numbers/file.bin: no network"),
        ("http://[", "http://\\[/numbers/file.bin: "),
        ("http://host:port", "http://host:port/numbers/file.bin: "),
    ],
)
def test_a_mirror_that_is_none_is_told_and_the_official_address_tried(
    value: str, why: str, target: Path, bad_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", value)
    assert fetch({"file.bin": [f"{bad_server}/good"]}, target).read_bytes() == b"official"
    with pytest.raises(InputError, match=why):
        fetch({"file.bin": []}, target)


def test_an_address_may_hold_a_user_and_a_password(target: Path, bad_server: str) -> None:
    address = f"{bad_server.replace('//', '//al1ce:w0%2Fnder@')}/closed"
    assert fetch({"file.bin": [address]}, target).read_bytes() == b"official"
    with pytest.raises(InputError, match=r"http://\*\*\*@127.0.0.1.*/closed: HTTP status 401") as error:
        fetch({"file.bin": [address.replace("w0%2Fnder", "wr0ng")]}, target)
    assert "wr0ng" not in str(error.value) and "al1ce" not in str(error.value)


def test_without_mirror_and_address_the_variable_is_named(target: Path) -> None:
    with pytest.raises(InputError, match="REPROLAB_MIRROR is not set"):
        fetch({"file.bin": []}, target)


def test_a_file_that_unpacks_to_more_than_it_may_is_refused(target: Path) -> None:
    path = target / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(10**7)))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"^http://x/bomb.gz is damaged or altered: it unpacks to more than 1,000"):
        gunzip(path, "http://x/bomb.gz", 1000)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_arrays_that_unpack_to_more_than_they_may_are_refused(target: Path) -> None:
    np.savez_compressed(target / "bomb.npz", images=np.zeros(2 * 10**7, np.uint8))
    with pytest.raises(InputError, match=r"bomb.npz cannot be read \(it unpacks to 20,000,128 bytes"):
        read_arrays(target / "bomb.npz", ["images"], "Repair it")


def test_arrays_of_objects_are_refused(target: Path) -> None:
    np.savez(target / "objects.npz", images=np.array([{}], object))
    with pytest.raises(InputError, match=r"objects.npz cannot be read \(Object arrays cannot be loaded"):
        read_arrays(target / "objects.npz", ["images"], "Repair it")
