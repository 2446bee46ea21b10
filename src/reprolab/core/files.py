"""Files that appear whole or not at all, and are read with a clear error."""

import csv
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent

from reprolab.core.errors import InputError
from reprolab.core.system import concerns

R = TypeVar("R", bound="Record")
T = TypeVar("T")


class Record(BaseModel):
    """Typed fields of a JSON file, or of one row of a table. A field that is None is absent from the file, unless
    `keeps_none`."""

    # The command that makes the file anew; `{folder}` stands for the name of the folder that it lies in.
    made_by: ClassVar[str] = ""
    keeps_none: ClassVar[bool] = False
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises `InputError` when the file is missing or damaged."""
        return read_json(path, cls)

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json", exclude_none=not self.keeps_none))


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside `path` that takes its place when the block ends well."""
    partial = _partial(path)
    try:
        partial.mkdir()
        yield partial
        _remove(path)
        partial.rename(path)
    except BaseException as error:
        concerns(error, path)
        _remove(partial)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well."""
    partial = _partial(path)
    try:
        yield partial
        partial.replace(path)
    except BaseException as error:
        concerns(error, path)
        _remove(partial)
        raise


def _partial(path: Path) -> Path:
    """The temporary path of this process, once those of processes that were killed are removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if not _is_at_work(left):
            _remove(left)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _is_at_work(partial: Path) -> bool:
    """Whether the process that the temporary path is named by is there, and not a later one with its number."""
    import psutil

    number = partial.name.split(".")[-2]
    if not number.isdecimal() or int(number) == os.getpid():
        return False
    try:
        owner = psutil.Process(int(number))
        return bool(owner.status() != psutil.STATUS_ZOMBIE and owner.create_time() <= partial.stat().st_mtime + 1)
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:  # another user's
        return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write in UTF-8, whatever the locale."""
    with atomic_file(path) as partial:
        partial.write_bytes(text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, kind: type[T]) -> T:
    """A record, or a list of them (`list[Row]`). Raises `InputError` when the file is missing or damaged."""
    try:
        return parse_json(path.read_bytes(), kind, path)
    except FileNotFoundError:
        raise _missing(path) from None


def parse_json(content: str | bytes, kind: type[T], path: Path) -> T:
    """As `read_json`, from the content of the file `path`."""
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        raise _damaged(path, _reason(error), kind) from None


def write_table(path: Path, rows: Sequence[Record]) -> None:
    """Write rows of one kind as CSV; `None` becomes an empty cell."""
    write_cells(path, [row.model_dump(by_alias=True) for row in rows])


def write_cells(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """As `write_table`, of rows whose columns are the keys of the first one."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path, kind: type[R]) -> list[R]:
    """The rows of a CSV file. Raises `InputError` when the file is missing, damaged or has none."""
    cells = read_cells(path)
    if not cells:
        raise _damaged(path, "it has no rows", kind)
    try:
        return [kind.model_validate_strings({key: cell for key, cell in row.items() if cell}) for row in cells]
    except ValidationError as error:
        raise _damaged(path, _reason(error), kind) from None


def read_cells(path: Path, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file as text. Raises `InputError` when the file is missing, is not text or lacks columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a byte-order mark
            rows = csv.DictReader(file)
            if missing := [column for column in columns if column not in (rows.fieldnames or ())]:
                raise InputError(f"{path}, line 1: lacks {', '.join(missing)}; the columns are {','.join(columns)}")
            return list(rows)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error})") from None
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error})") from None
    except FileNotFoundError:
        raise _missing(path) from None


def file_hash(path: Path) -> str:
    """The SHA-256 of the content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_yaml(path: Path) -> Any:
    """Read YAML 1.2, as DVC does: `1e-3` is a number. Raises `InputError` on bad syntax and on aliases."""
    yaml = YAML(typ="safe", pure=True)
    try:
        text = path.read_text(encoding="utf-8")
        if "*" in text and any(isinstance(event, AliasEvent) for event in yaml.parse(text)):
            raise InputError(
                f"{path} uses a YAML alias (`*name`): `dvc exp run -S` on it would edit every place that shares the "
                "anchor. Write the value out in each place"
            )
        return yaml.load(text)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run this from the repository's root") from None
    except (InputError, OSError, MemoryError):
        raise
    except RecursionError:
        raise InputError(f"{path} is nested too deeply for a file of parameters") from None
    except Exception as error:  # what the parser says of its own, and what it dies of on a value that is none
        raise InputError(f"{path} is not valid YAML: {str(error) or type(error).__name__}") from None


def _missing(path: Path) -> InputError:
    return InputError(f"{path} is missing: run `dvc repro` to produce it")


def _damaged(path: Path, reason: str, kind: Any) -> InputError:
    command = getattr(kind, "made_by", "").format(folder=path.parent.name)
    remedy = f"run `{command}`" if command else "remove it and run `dvc repro`"
    return InputError(f"{path} is damaged, or of another version of reprolab ({reason}): {remedy}")


def _reason(error: ValidationError) -> str:
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else detail["msg"]
