"""Files that appear whole or not at all."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from reprolab.errors import InputError
from reprolab.files import atomic_directory, atomic_file, read_csv, read_json, repository_root, write_csv, write_json

INTERRUPTIONS = pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])


def content_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_atomic_directory_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "parents" / "target"
    with atomic_directory(target) as folder:
        (folder / "new").write_text("whole")
        assert not target.exists()
    assert content_of(tmp_path) == {"parents/target/new": "whole"}


def test_atomic_directory_replaces_the_former_one(tmp_path: Path) -> None:
    target = tmp_path / "target"
    for name in ("old", "new"):
        with atomic_directory(target) as folder:
            (folder / name).write_text(name)
    assert content_of(tmp_path) == {"target/new": "new"}


@INTERRUPTIONS
def test_interrupted_atomic_directory_leaves_the_former_one(interruption: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("kept")
    with pytest.raises(interruption), atomic_directory(target) as folder:
        (folder / "new").write_text("half")
        raise interruption
    assert content_of(tmp_path) == {"target/old": "kept"}
    assert list(tmp_path.iterdir()) == [target]


@INTERRUPTIONS
@pytest.mark.parametrize("atomic", [atomic_directory, atomic_file])
def test_interrupted_block_leaves_nothing(
    atomic: Callable[[Path], AbstractContextManager[Path]], interruption: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(interruption), atomic(tmp_path / "target") as partial:
        (partial / "file" if partial.is_dir() else partial).write_text("half")
        raise interruption
    assert list(tmp_path.iterdir()) == []


def test_atomic_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "parents" / "target"
    with atomic_file(target) as partial:
        partial.write_text("whole")
        assert not target.exists()
    assert content_of(tmp_path) == {"parents/target": "whole"}


@INTERRUPTIONS
def test_interrupted_atomic_file_leaves_the_former_one(interruption: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    with pytest.raises(interruption), atomic_file(target) as partial:
        partial.write_text("half")
        raise interruption
    assert content_of(tmp_path) == {"target": "kept"}


def test_json_is_indented_and_ends_with_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.json"
    content = {"name": "lenet5", "seeds": [0, 1], "best": None, "accuracy": 0.1}
    write_json(path, content)
    assert path.read_text() == (
        '{\n  "name": "lenet5",\n  "seeds": [\n    0,\n    1\n  ],\n  "best": null,\n  "accuracy": 0.1\n}\n'
    )
    assert read_json(path) == content


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_json_lacks_and_keeps_the_former_file(number: float, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": number})
    assert content_of(tmp_path) == {"scores.json": "1\n"}


@pytest.mark.parametrize("content", [b"", b'{"accuracy": 0.', b"\xff\xfe{}"])
def test_damaged_json_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scores\.json is not valid JSON .*: remove it and run `dvc repro`"):
        read_json(path)


@pytest.mark.parametrize("read", [read_json, read_csv])
def test_missing_file_is_refused_by_name(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scores is missing: run `dvc repro` to produce it"):
        read(tmp_path / "scores")


def test_csv_has_a_header_and_empty_cells_for_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "curves.csv"
    write_csv(path, [{"epoch": 1, "loss": 0.5, "name": "a, b"}, {"epoch": 2, "loss": None, "name": 'c "d"'}])
    assert path.read_bytes() == b'epoch,loss,name\n1,0.5,"a, b"\n2,,"c ""d"""\n'
    assert read_csv(path) == [
        {"epoch": "1", "loss": "0.5", "name": "a, b"},
        {"epoch": "2", "loss": "", "name": 'c "d"'},
    ]


def test_csv_refuses_a_row_with_another_key_and_keeps_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    write_csv(path, [{"epoch": 1}])
    with pytest.raises(ValueError, match="loss"):
        write_csv(path, [{"epoch": 1}, {"epoch": 2, "loss": 0.5}])
    assert content_of(tmp_path) == {"curves.csv": "epoch\n1\n"}


def test_repository_root_is_the_one_that_dvc_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "root"))
    assert repository_root() == tmp_path / "root"
    monkeypatch.delenv("DVC_ROOT")
    monkeypatch.chdir(tmp_path)
    assert repository_root() == tmp_path.resolve()
