"""dvc.yaml: what a stage imports lies in the rooms that it depends on, and its paths are those of core/layout.py."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reprolab.core import layout
from reprolab.core.config import Model, Source
from reprolab.core.files import read_yaml
from reprolab.training.identity import START, module_hashes
from tests.factories import REPOSITORY

STAGES: dict[str, Any] = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
LIBRARY = "src/reprolab"
TRACKING = f"{LIBRARY}/tracking/"  # MLflow's view of a result, which shapes none
# DVC deletes what a stale stage had, and offline a download could not be had again: it depends on what fetches alone.
LEFT_OUT = {"download": (f"{LIBRARY}/core/", "stages/download.py")}
IDENTITIES = "metrics/${item.dataset}/${key}/train.json"
ARCHITECTURES = f"{LIBRARY}/architectures"  # all of them are looked up by name, where a space may vary the model
LOOKED_UP = {"sources": Source, "architectures": Model}


def imported_modules(path: Path) -> Iterator[Path]:
    """First-party modules that a file imports anywhere in it, also inside functions, but not only for type checks."""
    for name in imported_names(ast.parse(path.read_text(encoding="utf-8"))):
        base = REPOSITORY / "src" / name.replace(".", "/")
        yield from (module for module in (base.with_suffix(".py"), base / "__init__.py") if module.is_file())


def imported_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    if isinstance(node, ast.ImportFrom):
        yield from [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
    elif isinstance(node, ast.Import):
        yield from [alias.name for alias in node.names]
    for child in ast.iter_child_nodes(node):
        yield from imported_names(child)


def needed_modules(*scripts: Path) -> set[str]:
    found: set[Path] = set()
    waiting = list(scripts)
    while waiting:
        module = waiting.pop()
        if module not in found and not module.is_relative_to(REPOSITORY / TRACKING):
            found.add(module)
            waiting += imported_modules(module)
    return {str(module.relative_to(REPOSITORY)) for module in found}


def files_named(stage: str) -> set[Path]:
    """What could stand in the place of a name in the stage's dependencies."""
    folders = {str(Path(dep).parent) for dep in code_dependencies(stage) if "$" in dep}
    return {path for folder in folders for path in (REPOSITORY / folder).glob("[!_]*.py")}


def modules_of_a_training() -> set[str]:
    """Those whose meaning is in the identity of a training, whatever it names."""
    architectures = [f"reprolab.architectures.{name}" for name in Model.names()]
    return {f"src/{name.replace('.', '/')}.py" for name in module_hashes(START, *architectures)}


def code_dependencies(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["do"]["deps"] if dep.startswith(("src/", "stages/"))]


def covers(dependency: str, module: str) -> bool:
    return module == dependency or module.startswith(f"{dependency}/")


def imported_from_outside(stage: str) -> set[str]:
    """What a stage imports beyond its dependencies and tracking."""
    dependencies, named = code_dependencies(stage), files_named(stage)
    return {
        module
        for module in needed_modules(REPOSITORY / "stages" / f"{stage}.py", *named)
        if not any(covers(dependency, module) for dependency in dependencies)
        and not module.startswith(LEFT_OUT.get(stage, ()))
        and REPOSITORY / module not in named
        and not is_a_docstring(REPOSITORY / module)
    }


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "evaluate"])
def test_what_a_stage_imports_lies_in_its_rooms_or_in_tracking(stage: str) -> None:
    assert imported_from_outside(stage) == set()


def test_what_evaluate_imports_beyond_its_rooms_changes_train_json() -> None:
    # It runs again where the weights are of other code. The identities in train.json hash that code by its meaning, and
    # the architecture that the experiment names: what evaluate runs of a training has to be among it.
    assert IDENTITIES in STAGES["evaluate"]["do"]["deps"]
    outside = imported_from_outside("evaluate")
    assert {f"{LIBRARY}/data/parts.py", f"{LIBRARY}/models/classifier.py", f"{LIBRARY}/training/scores.py"} <= outside
    assert outside - modules_of_a_training() == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_needs_every_room_that_it_depends_on(stage: str) -> None:
    dependencies = code_dependencies(stage)
    needed = needed_modules(REPOSITORY / "stages" / f"{stage}.py", *files_named(stage))
    found = [dep for dep in dependencies if "$" not in dep and not any(covers(dep, module) for module in needed)]
    assert found == ([ARCHITECTURES] if stage == "study" else [])


def is_a_docstring(path: Path) -> bool:
    """Whether a module holds nothing but its docstring, as the `__init__.py` of a room does."""
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )


def test_a_room_is_no_module() -> None:
    rooms = list((REPOSITORY / LIBRARY).rglob("__init__.py"))
    assert rooms and all(is_a_docstring(room) for room in rooms)


def test_the_walk_follows_imports_and_leaves_out_tracking_and_type_checks() -> None:
    needed = needed_modules(REPOSITORY / "stages" / "compare.py")
    assert f"{LIBRARY}/reports/comparison.py" in needed
    assert f"{LIBRARY}/models/classifier.py" not in needed
    assert not any(module.startswith(TRACKING) for module in needed)


@pytest.mark.parametrize(
    ("stage", "folder", "key"),
    [
        ("download", "sources", "item.source.name"),
        ("split", "sources", "item.source.name"),
        ("describe", "sources", "item.source.name"),
        ("train", "architectures", "item.model.name"),
    ],
)
def test_what_is_named_is_the_only_one_of_its_kind_among_the_dependencies(stage: str, folder: str, key: str) -> None:
    dependencies = STAGES[stage]["do"]["deps"]
    assert f"{LIBRARY}/{folder}/${{{key}}}.py" in dependencies
    assert f"{LIBRARY}/{folder}" not in dependencies
    assert not {f"{LIBRARY}/{folder}/{name}.py" for name in LOOKED_UP[folder].names()} & set(dependencies)


def test_the_code_of_a_training_is_a_dependency_of_train_alone() -> None:
    for stage in ("evaluate", "compare"):
        assert not {f"{LIBRARY}/{room}" for room in ("data", "models", "training")} & set(code_dependencies(stage))
        assert not any("architectures" in dep for dep in code_dependencies(stage))
    assert f"{LIBRARY}/training" in code_dependencies("train")
    assert [dep for dep in code_dependencies("compare") if "/training" in dep] == [f"{LIBRARY}/training/record.py"]


def outputs(stage: str) -> set[str]:
    found = [output for kind in ("outs", "metrics", "plots") for output in STAGES[stage]["do"].get(kind, [])]
    return {output if isinstance(output, str) else next(iter(output)) for output in found}


def test_the_layout_is_that_of_dvc_yaml() -> None:
    key, dataset = "${key}", "${item.dataset}"
    metrics = layout.metrics_folder(dataset, key)
    comparison = layout.comparison_file(key)
    assert outputs("download") == {str(layout.RAW / key)}
    assert outputs("split") == {str(layout.SPLITS / key)}
    assert outputs("describe") == {str(layout.data_figures_folder(key))}
    assert outputs("train") == {
        str(layout.MODELS / key),
        *(str(metrics / name) for name in ("train.json", "curves.csv")),
    }
    assert outputs("evaluate") == {
        str(layout.FIGURES / key),
        *(str(metrics / name) for name in (layout.TEST, layout.CLASSES, layout.CONFUSION)),
    }
    assert (layout.TRAIN, layout.CURVES) == ("train.json", "curves.csv")
    assert outputs("compare") == {str(comparison), str(comparison.with_suffix(".md")), str(comparison.with_suffix(""))}
    table, contrast = layout.study_file(key), layout.contrast_file(key)
    endings = (".csv", ".json", ".md", "")
    assert outputs("study") == {str(table.with_suffix(ending)) for ending in endings}
    assert outputs("contrast") == {str(contrast.with_suffix(ending)) for ending in endings[1:]}
    read = {str(layout.study_file(f"${{item.{side}}}")) for side in ("first", "second")}
    assert read <= set(STAGES["contrast"]["do"]["deps"])
    assert str(layout.BASELINES) in STAGES["compare"]["do"]["deps"]
    assert f"{layout.MODELS}/${{item.init_from}}" in STAGES["train"]["do"]["deps"]


def test_names_are_quoted_for_the_shell() -> None:
    for stage, definition in STAGES.items():
        command = definition["do"]["cmd"]
        unquoted = command.replace("${item}", "").split("'")[::2]  # of a whole entry DVC quotes the values itself
        assert not any("${" in part for part in unquoted), stage


def test_only_python_files_of_the_library_are_dependencies() -> None:
    def ignored(path: str) -> bool:
        command = [sys.executable, "-m", "dvc", "check-ignore", "--quiet", path]
        return subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0

    assert not ignored(f"{LIBRARY}/training/loop.py")
    assert not ignored("stages/train.py")
    for path in ("training/.loop.py.swp", "training/loop.py~", "core/__pycache__/files.cpython-311.pyc", "notes.txt"):
        assert ignored(f"{LIBRARY}/{path}"), path


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_own_parameters_alone(stage: str) -> None:
    params = STAGES[stage]["do"].get("params", [])
    of_what_it_names = {"datasets.${item.dataset}", "experiments.${item.of}"} if stage == "study" else set()
    assert {param for param in params if "${key}" not in param} == of_what_it_names


def test_results_stay_in_the_run_cache() -> None:
    # A plain output with `cache: false` or `persist: true` would take its stage out of DVC's run cache.
    for stage in STAGES.values():
        for output in stage["do"].get("outs", []):
            assert isinstance(output, str), output


def test_the_drawing_in_the_docs_is_the_pipeline() -> None:
    command = [sys.executable, "-m", "dvc", "dag", "--collapse-foreach-matrix", "--md"]
    drawn = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    assert drawn.strip() in (REPOSITORY / "docs" / "pipeline.md").read_text()
