"""Whatever a stage reads may be damaged, cut, foreign or missing, and the disk that it writes to full or read-only: it
says so in a sentence and leaves nothing half-written.

A few damages of each file are tried by `make test`, all of them by `make torture`.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.factories import REPOSITORY, params_settings

RunStage = Callable[..., object]
EXPERIMENT = {"dataset": "noise", "training": {"epochs": 2, "seeds": [0, 1], "snapshots": True}}
SPLIT, MODEL = "data/splits/noise", "models/small"
METRICS_OF, METRICS = "metrics/noise", "metrics/noise/small"
WEIGHTS = ("seed-1.safetensors", "seed-0-epochs.safetensors")
STAGES = {
    "train": ("small", SPLIT, "models/random", MODEL, METRICS),
    "evaluate": (SPLIT, MODEL, METRICS, "figures/small"),
    "compare": ("all", METRICS_OF, "data/baselines.csv", "metrics/comparison/all", "--dataset", "noise", "--curves"),
    "study": ("tried", SPLIT, "metrics/study/tried"),
}  # fmt: skip
READ = {
    "train": ["params.yaml", f"{SPLIT}/split.json", f"{SPLIT}/train.safetensors", f"{SPLIT}/validation.safetensors"],
    "evaluate": [
        f"{SPLIT}/test.safetensors",
        *(f"{MODEL}/{name}" for name in ("model.json", "sha256.json", *WEIGHTS)),
        *(f"{METRICS}/{name}" for name in ("train.json", "curves.csv")),
    ],
    "compare": [
        "params.yaml",
        "data/baselines.csv",
        *(f"{METRICS}/{name}" for name in ("train.json", "test.json", "curves.csv")),
    ],
    "study": [f"{SPLIT}/split.json", f"{SPLIT}/train.safetensors", f"{SPLIT}/validation.safetensors"],
}  # fmt: skip
ARRAYS = ".safetensors"


def flipped(content: bytes) -> bytes:
    """With one bit of its last part changed, which no format notices."""
    place = len(content) - 5
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "a line of it": lambda content: content.partition(b"\n")[0],
    "a list": lambda content: b"[]",
    "null": lambda content: b"null",
    "NaN": lambda content: b"NaN",
    "text": lambda content: b"<!DOCTYPE html><html>not here</html>\n",
    "other signs": lambda content: b"\xff\xfe\x00\x01" * 20,
    "numbers that are none": lambda content: content.replace(b"0.", b"nan", 3),
    "twice": lambda content: content + content,
    "flipped": flipped,
}
QUICK = ("empty", "null", "flipped")
# Files that anyone may write in more than one way, so that the damage may be none.
# An experiment without results stands in the comparison as "not run".
FREE = {("missing", "train.json"), ("missing", "test.json"), ("missing", "curves.csv"),
        ("numbers that are none", ".yaml"), ("twice", ".csv"), ("flipped", ".csv"), ("flipped", ".json"),
        ("flipped", ".yaml"), ("a line of it", ".csv"), ("cut", ".csv"), ("cut", ".yaml"), ("twice", ".yaml"),
        ("numbers that are none", ".json"), ("numbers that are none", ".csv"), ("a line of it", ARRAYS),
        ("numbers that are none", ARRAYS)}  # fmt: skip


def cases() -> Iterator[Any]:
    for stage, files in READ.items():
        for file in files:
            for damage in [*DAMAGES, "missing", "a folder"]:
                marks = [] if damage in QUICK else [pytest.mark.torture]
                yield pytest.param(stage, file, damage, marks=marks, id=f"{stage}-{Path(file).name}-{damage}")


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """The files of a result, by path, filled by the first test that needs them."""
    return {}


@pytest.fixture
def result(
    whole: dict[str, bytes], split_folder: Path, run_stage: RunStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A trained, evaluated and compared experiment."""
    monkeypatch.setenv("REPROLAB_VIEW", "off")
    monkeypatch.setenv("REPROLAB_JOBS", "1")
    settings = params_settings({"small": EXPERIMENT}) | {
        "comparisons": {"all": {"dataset": "noise", "curves": True}},
        "studies": {"tried": {"dataset": "noise", "of": "small", "search": {"name": "seeds", "seeds": 3}}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "models/random").mkdir(parents=True)
    shutil.copy(REPOSITORY / "data/baselines.csv", tmp_path / "data")
    if not whole:
        for stage, arguments in STAGES.items():
            assert run_stage(stage, *arguments) == 0
        whole.update({str(path.relative_to(tmp_path)): path.read_bytes() for path in files_of(tmp_path)})
    restore(whole, tmp_path)
    return tmp_path


def restore(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]


def damage_file(path: Path, damage: str) -> None:
    if damage in DAMAGES:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    else:
        path.unlink()
        if damage == "a folder":
            path.mkdir()


@pytest.mark.parametrize(("stage", "file", "damage"), [*cases()])
def test_a_damaged_file_is_named_and_nothing_is_written(
    stage: str, file: str, damage: str, result: Path, run_stage: RunStage, capfd: pytest.CaptureFixture[str]
) -> None:
    damage_file(result / file, damage)
    before = {path: path.read_bytes() for path in files_of(result) if ".reprolab" not in path.parts}
    capfd.readouterr()
    code = run_stage(stage, *STAGES[stage])
    error = capfd.readouterr().err
    assert "Traceback" not in error, error
    path = Path(file)
    if code == 0:
        assert {(damage, path.suffix), (damage, path.name)} & FREE, "taken for whole"
        return
    assert code == 1 and error.startswith("error: ") and len(error) < 1500, error
    assert path.name in error or (path.name == "sha256.json" and "is not what the training wrote" in error), error
    assert {path: path.read_bytes() for path in files_of(result) if ".reprolab" not in path.parts} == before


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A small file system in the place of a folder."""
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "none"]
    mounted = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("who may not mount a file system cannot fill one")
    try:
        yield
    finally:
        os.chdir("/")
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.torture
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("free", ["read-only", 0, 8, 40, 100, 300])
def test_a_full_or_read_only_disk_is_told_and_nothing_is_half_written(
    stage: str, free: int | str, result: Path, whole: dict[str, bytes], run_stage: RunStage,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With so many kilobytes left, and the training not known."""
    with disk(result, megabytes=4):
        restore({name: content for name, content in whole.items() if not name.startswith(".reprolab")}, result)
        (result / "models/random").mkdir(exist_ok=True)
        before = {path: path.read_bytes() for path in files_of(result)}
        if free == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(result)], check=True)
        else:
            left = shutil.disk_usage(result).free - int(free) * 1024
            (result / "filler").write_bytes(bytes(left))
        capfd.readouterr()
        code = run_stage(stage, *STAGES[stage])
        error = capfd.readouterr().err
        assert "Traceback" not in error, error
        assert not list(result.rglob("*.partial"))
        if code == 0:
            assert free != "read-only" and int(free) >= 8
            return
        reason = "the file system is read-only" if free == "read-only" else "no space is left"
        assert code == 1 and error.startswith("error: ") and reason in error, error
        for path, content in before.items():
            assert not path.exists() or path.read_bytes() == content or stage != "train"
