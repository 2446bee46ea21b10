"""Files that appear whole or not at all, and are read with a clear error."""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from reprolab.errors import InputError

CHECKPOINTS = Path(".reprolab/checkpoints")


def repository_root() -> Path:
    """The root of the repository, also while DVC runs an experiment in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside `path` that takes its place when the block ends well."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Any) -> None:
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises `InputError` when the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro` to produce it") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}): remove it and run `dvc repro`") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share the keys of the first one; `None` becomes an empty cell."""
    with atomic_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Raises `InputError` when the file is missing or is not text."""
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error})") from None
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro` to produce it") from None


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
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
