"""Where files come from: the mirror, then the official addresses."""

from pathlib import Path

import pytest

from reprolab.core.errors import InputError
from reprolab.data.fetch import fetch_file

UNREACHABLE = "https://data.example/file.bin"

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def mirror(mirror: Path) -> Path:
    """It holds numbers/file.bin and official.bin."""
    (mirror / "numbers").mkdir()
    (mirror / "numbers" / "file.bin").write_bytes(b"mirrored")
    (mirror / "official.bin").write_bytes(b"official")
    return mirror


@pytest.mark.parametrize("over_http", [False, True])
def test_mirror_is_asked_before_the_official_address(
    over_http: bool, target: Path, mirror: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", server if over_http else str(mirror))
    official = [UNREACHABLE, f"{server}/official.bin"]
    there = fetch_file("numbers", {"file.bin": official}, target)
    lacking = fetch_file("numbers", {"other.bin": official}, target)
    assert (there.read_bytes(), lacking.read_bytes()) == (b"mirrored", b"official")
    assert {there, lacking} == set(target.iterdir())


def test_an_error_names_what_was_tried_and_what_to_do(target: Path, mirror: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch_file("numbers", {"a.bin": [UNREACHABLE], "b.bin": []}, target)
    assert str(error.value).splitlines() == [
        "numbers/a.bin or numbers/b.bin cannot be had:",
        f"  REPROLAB_MIRROR ({mirror}): not there",
        f"  {UNREACHABLE}: <urlopen error no network>",
        "Connect to the internet, or set REPROLAB_MIRROR to a folder or URL that holds numbers/a.bin or numbers/b.bin",
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [("absent", "is no folder"), ("file:///tmp", "is no folder"), ("https://mirror.example", "no network")],
)
def test_absent_mirror_is_refused(value: str, why: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", value)
    with pytest.raises(InputError, match=rf"^REPROLAB_MIRROR: {value}.* {why}.*Unset it, or"):
        fetch_file("numbers", {"file.bin": []}, target)
