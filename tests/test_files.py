"""Files that appear whole or not at all, and are read with a clear error."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from reprolab.core.errors import InputError
from reprolab.core.files import (
    Record,
    atomic_directory,
    atomic_file,
    read_cells,
    read_json,
    read_table,
    write_json,
    write_table,
)

INTERRUPTIONS = pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
ADVICE = "remove it and run `dvc repro`"


class Row(Record):
    epoch: int
    loss: float | None = None
    name: str = "a"


class Summary(Record):
    rows: list[Row]
    best: Row | None = None


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
    (target / "old").write_text("former")
    with pytest.raises(interruption), atomic_directory(target) as folder:
        (folder / "new").write_text("half")
        raise interruption
    assert content_of(tmp_path) == {"target/old": "former"}
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
    target.write_text("former")
    with pytest.raises(interruption), atomic_file(target) as partial:
        partial.write_text("half")
        raise interruption
    assert content_of(tmp_path) == {"target": "former"}


def test_json_is_indented_and_ends_with_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.json"
    content = {"name": "lenet5", "seeds": [0, 1], "best": None, "accuracy": 0.1}
    write_json(path, content)
    assert path.read_text() == (
        '{\n  "name": "lenet5",\n  "seeds": [\n    0,\n    1\n  ],\n  "best": null,\n  "accuracy": 0.1\n}\n'
    )
    assert read_json(path, dict[str, Any]) == content


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_json_lacks_and_leaves_the_former_file(number: float, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": number})
    with pytest.raises(ValueError, match="finite number"):
        Row(epoch=1, loss=number)
    assert content_of(tmp_path) == {"scores.json": "1\n"}


def test_a_record_is_read_back_as_it_was_saved_and_none_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.json"
    summary = Summary(rows=[Row(epoch=1, loss=0.5), Row(epoch=2, name="b")])
    summary.save(path)
    assert read_json(path, dict[str, Any]) == {
        "rows": [{"epoch": 1, "loss": 0.5, "name": "a"}, {"epoch": 2, "name": "b"}]
    }
    assert Summary.load(path) == summary


def test_a_list_of_records_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write_json(path, [{"epoch": 1}, {"epoch": 2, "loss": 1}])
    assert read_json(path, list[Row]) == [Row(epoch=1), Row(epoch=2, loss=1.0)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Invalid JSON: EOF"),
        (b'{"rows": [', "Invalid JSON: EOF"),
        (b"\xff\xfe{}", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"accuracy": 0.5}', "rows: Field required"),
        (b'{"rows": [{"epoch": 1}, {"epoch": 1.5}]}', "rows.1.epoch: Input should be a valid integer"),
        (b'{"rows": [{"epoch": "1"}]}', "rows.0.epoch: Input should be a valid integer"),
        (b'{"rows": [{"epoch": 1, "loss": NaN}]}', "rows.0.loss: Input should be a finite number"),
        (b'{"rows": [], "accuracy": 0.5}', "accuracy: Extra inputs are not permitted"),
    ],
)
def test_damaged_and_foreign_json_is_refused_by_name_and_place(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        Summary.load(path)
    assert str(error.value).startswith(f"{path} is damaged, or of another version of reprolab ({reason}")
    assert str(error.value).endswith(f"): {ADVICE}")


@pytest.mark.parametrize(
    "read",
    [Row.load, read_cells, lambda path: read_table(path, Row), lambda path: read_json(path, list[Row])],
    ids=["record", "cells", "table", "list"],
)
def test_missing_file_is_refused_by_name(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scores is missing: run `dvc repro` to produce it"):
        read(tmp_path / "scores")


def test_a_table_has_a_header_and_empty_cells_for_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "curves.csv"
    rows = [Row(epoch=1, loss=0.5, name="a, b"), Row(epoch=2, name='c "d"')]
    write_table(path, rows)
    assert path.read_bytes() == b'epoch,loss,name\n1,0.5,"a, b"\n2,,"c ""d"""\n'
    assert read_cells(path) == [
        {"epoch": "1", "loss": "0.5", "name": "a, b"},
        {"epoch": "2", "loss": "", "name": 'c "d"'},
    ]
    assert read_table(path, Row) == rows


def test_a_table_refuses_a_row_of_another_kind_and_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    write_table(path, [Row(epoch=1)])
    with pytest.raises(ValueError, match="rows"):
        write_table(path, [Row(epoch=1), Summary(rows=[])])
    assert content_of(tmp_path) == {"curves.csv": "epoch,loss,name\n1,,a\n"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"loss\n1\n", "epoch: Field required"),
        (b"epoch,loss\n1,half\n", "loss: Input should be a valid number"),
        (b"epoch,loss\n1,nan\n", "loss: Input should be a finite number"),
        (b"epoch,accuracy\n1,0.5\n", "accuracy: Extra inputs are not permitted"),
        (b"epoch,loss\n1,0.5,0.6\n", "Input should be"),
    ],
)
def test_damaged_and_foreign_tables_are_refused_by_name_and_column(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_table(path, Row)
    assert str(error.value).startswith(f"{path} is damaged, or of another version of reprolab ({reason}")
    assert str(error.value).endswith(f"): {ADVICE}")


def test_a_table_that_is_not_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_bytes(b"epoch\n\xff\n")
    with pytest.raises(InputError, match=r"curves\.csv is not text in UTF-8"):
        read_table(tmp_path / "curves.csv", Row)
