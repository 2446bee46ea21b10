"""The identity of a result changes with what it is made from, and with nothing else."""

import hashlib
import json
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from reprolab.core.errors import InputError
from reprolab.core.files import read_yaml
from reprolab.tracking.lineage import lineage_of
from tests.factories import REPOSITORY

DEFINITION = """
stages:
  train:
    foreach: ${experiments}
    do:
      cmd: python stages/train.py ${key} data/${item.dataset}
      deps:
        - stages/train.py
        - src/${item.model.name}.py
        - data/${item.dataset}
      params:
        - experiments.${key}
      outs:
        - models/${key}
"""
PARAMS = """
experiments:
  small:
    dataset: digits
    model: {name: mlp, hidden: [64]}
    lr: 0.1
  other:
    dataset: digits
    model: {name: lenet5}
    lr: 0.1
"""
FILES = {
    "dvc.yaml": DEFINITION,
    "params.yaml": PARAMS,
    "stages/train.py": "train",
    "src/mlp.py": "mlp",
    "src/lenet5.py": "lenet5",
    "data/digits/labels": "labels",
    "data/digits/images/train": "images",
    "data/mnist/labels": "labels",
    "README.md": "text",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def change(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text() if path.exists() else ""
    assert old in text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new) if old else new)


def test_same_files_have_the_same_identity_wherever_they_lie(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_elsewhere = lineage_of("train", "small", root)
    monkeypatch.chdir(root)
    assert lineage_of("train", "small") == from_elsewhere
    assert from_elsewhere.stage == "train@small"
    assert from_elsewhere.hash.startswith(from_elsewhere.short)


@pytest.mark.parametrize(
    ("name", "old", "new", "parts"),
    [
        ("stages/train.py", "train", "faster", {"hash", "code"}),
        ("src/mlp.py", "mlp", "wider", {"hash", "code"}),
        ("data/digits/labels", "labels", "others", {"hash", "data"}),
        ("data/digits/images/train", "images", "others", {"hash", "data"}),
        ("data/digits/images/test", "", "new file", {"hash", "data"}),
        ("params.yaml", "[64]", "[65]", {"hash"}),
        ("params.yaml", "    lr: 0.1\n  other", "    lr: 0.1\n    seed: 0\n  other", {"hash"}),
        ("dvc.yaml", "stages/train.py ${key}", "stages/train.py --fast ${key}", {"hash"}),
    ],
    ids=["script", "module", "data", "nested data", "new data file", "parameter", "new parameter", "command"],
)
def test_identity_changes_with(root: Path, name: str, old: str, new: str, parts: set[str]) -> None:
    before = lineage_of("train", "small", root)
    change(root, name, old, new)
    after = lineage_of("train", "small", root)
    assert {part for part in ("hash", "data", "code") if getattr(before, part) != getattr(after, part)} == parts


@pytest.mark.parametrize(
    ("name", "changes"), [("training/loop.py", True), ("training/.loop.py.swp", False), ("notes.txt", False)]
)
def test_of_a_room_python_files_count_alone_as_for_dvc(root: Path, name: str, changes: bool) -> None:
    change(root, "dvc.yaml", "- src/${item.model.name}.py", "- src/room")
    change(root, "src/room/training/loop.py", "", "loop")
    before = lineage_of("train", "small", root)
    change(root, f"src/room/{name}", "", "other")
    assert (lineage_of("train", "small", root) != before) is changes


def test_a_data_set_named_src_counts_with_all_its_files(root: Path) -> None:
    change(root, "params.yaml", "dataset: digits", "dataset: src")
    change(root, "data/src/images.safetensors", "", "images")
    before = lineage_of("train", "small", root)
    change(root, "data/src/images.safetensors", "images", "others")
    assert lineage_of("train", "small", root).data != before.data


def test_identity_covers_an_entry_that_is_part_of_the_command(root: Path) -> None:
    change(root, "dvc.yaml", "train.py ${key} data/${item.dataset}", "train.py ${key} ${item}")
    before = lineage_of("train", "small", root)
    change(root, "params.yaml", "[64]", "[65]")
    assert lineage_of("train", "small", root).hash != before.hash


def test_identity_changes_when_a_data_file_is_renamed(root: Path) -> None:
    before = lineage_of("train", "small", root)
    (root / "data/digits/labels").rename(root / "data/digits/names")
    assert lineage_of("train", "small", root).data != before.data


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("params.yaml", "{name: lenet5}\n    lr: 0.1", "{name: lenet5}\n    lr: 0.2"),
        ("params.yaml", "{name: mlp, hidden: [64]}", "{hidden: [64], name: mlp}"),
        ("params.yaml", "lr: 0.1", "lr: 1e-1"),
        (
            "dvc.yaml",
            "- stages/train.py\n        - src/${item.model.name}.py",
            "- src/mlp.py\n        - stages/train.py",
        ),
        ("dvc.yaml", "models/${key}", "weights/${key}"),
        ("src/lenet5.py", "lenet5", "deeper"),
        ("data/mnist/labels", "labels", "others"),
        ("README.md", "text", "more text"),
    ],
    ids=[
        "another experiment",
        "order of keys",
        "notation of a number",
        "order of dependencies",
        "outputs",
        "another model's module",
        "another data set",
        "a file that is no dependency",
    ],
)
def test_identity_does_not_change_with(root: Path, name: str, old: str, new: str) -> None:
    before = lineage_of("train", "small", root)
    change(root, name, old, new)
    assert lineage_of("train", "small", root) == before


@pytest.mark.parametrize("name", ["src/mlp.py", "data/digits"])
def test_missing_dependency_is_named(root: Path, name: str) -> None:
    (root / name).rename(root / "away")
    with pytest.raises(InputError, match=rf"{name} is missing: run `dvc repro`"):
        lineage_of("train", "small", root)


def test_identity_covers_the_command_the_contents_and_the_parameters(root: Path) -> None:
    assert lineage_of("train", "small", root).hash == identity(
        "python stages/train.py small data/digits",
        {
            "stages/train.py": text_digest("train"),
            "src/mlp.py": text_digest("mlp"),
            "data/digits": digest({"images/train": text_digest("images"), "labels": text_digest("labels")}),
        },
        {"experiments.small": {"dataset": "digits", "model": {"name": "mlp", "hidden": [64]}, "lr": 0.1}},
    )


@pytest.fixture(scope="module")
def resolved_by_dvc(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """DVC's own stages for the repository's dvc.yaml and params.yaml."""
    root = tmp_path_factory.mktemp("resolved")
    for name in ("dvc.yaml", "params.yaml"):
        (root / name).write_bytes((REPOSITORY / name).read_bytes())
    with Repo.init(str(root), no_scm=True) as repo:
        return {stage.name: stage for stage in repo.index.stages}


STAGES = [
    f"{stage}@{key}"
    for stage, definition in read_yaml(REPOSITORY / "dvc.yaml")["stages"].items()
    for key in read_yaml(REPOSITORY / "params.yaml")[definition["foreach"].strip("${}")]
]


def test_every_stage_of_dvc_can_be_named(resolved_by_dvc: dict[str, Any]) -> None:
    assert set(STAGES) == set(resolved_by_dvc)


@pytest.mark.parametrize(
    "address",
    [
        "download@points",
        "split@mnist900",
        "train@lenet5-classic",
        "train@digits100-frozen",
        "train@resnet50-finetune",
        "evaluate@wine-mlp",
    ],
)
def test_stage_is_expanded_as_by_dvc(address: str, resolved_by_dvc: dict[str, Any], tmp_path: Path) -> None:
    stage = resolved_by_dvc[address]
    paths = [dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    keys = [key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params]
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    params = read_yaml(REPOSITORY / "params.yaml")
    values = {key: reduce(getitem, key.split("."), params) for key in keys}
    expected = identity(stage.cmd, {path: text_digest(path) for path in paths}, values)
    name, key = address.split("@")
    assert lineage_of(name, key, tmp_path).hash == expected


def identity(command: str, dependencies: dict[str, str], params: dict[str, Any]) -> str:
    return digest({"cmd": command, "deps": dependencies, "params": params})


def digest(content: object) -> str:
    return text_digest(json.dumps(content, sort_keys=True))


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
