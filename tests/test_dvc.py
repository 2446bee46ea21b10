"""dvc.yaml: every module that shapes a stage's result is one of its dependencies."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reprolab.config import module_names
from reprolab.files import read_yaml
from tests.conftest import REPOSITORY

STAGES: dict[str, Any] = read_yaml(REPOSITORY / "dvc.yaml")["stages"]

# Modules that check, carry, tell or record, but shape no result. The defaults of config.py are pinned by
# test_config.py; that tracking leaves the weights alone is shown by test_pipeline.py.
SHAPES_NO_RESULT = {
    "src/reprolab/__init__.py",
    "src/reprolab/components.py",
    "src/reprolab/config.py",
    "src/reprolab/data/__init__.py",
    "src/reprolab/errors.py",
    "src/reprolab/files.py",
    "src/reprolab/inputs.py",
    "src/reprolab/mistakes.py",
    "src/reprolab/progress.py",
    "src/reprolab/sqlite_store.py",
    "src/reprolab/tracking.py",
}


def imported_modules(path: Path) -> Iterator[Path]:
    """First-party modules that a file imports anywhere in it, also inside functions, but not only for type checks."""
    for name in imported_names(ast.parse(path.read_text())):
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
        if module not in found:
            found.add(module)
            waiting += imported_modules(module)
    return {str(module.relative_to(REPOSITORY)) for module in found}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_modules_that_shape_the_result(stage: str) -> None:
    deps = [dep for dep in STAGES[stage]["do"]["deps"] if dep.startswith(("src/", "stages/"))]
    folders = {str(Path(dep).parent) for dep in deps if "$" in dep}
    components = {path for folder in folders for path in (REPOSITORY / folder).glob("[!_]*.py")}
    needed = needed_modules(REPOSITORY / "stages" / f"{stage}.py", *components)
    names = {str(component.relative_to(REPOSITORY)) for component in components}
    assert {dep for dep in deps if "$" not in dep} == needed - names - SHAPES_NO_RESULT


def test_the_walk_follows_imports_and_leaves_out_type_checks() -> None:
    needed = needed_modules(REPOSITORY / "stages" / "compare.py")
    assert "src/reprolab/comparison.py" in needed
    assert "src/reprolab/checkpoint.py" not in needed


@pytest.mark.parametrize(
    ("stage", "folder", "dep"),
    [
        ("download", "data/sources", "src/reprolab/data/sources/${item.source.name}.py"),
        ("split", "data/sources", "src/reprolab/data/sources/${item.source.name}.py"),
        ("train", "models", "src/reprolab/models/${item.model.name}.py"),
        ("evaluate", "models", "src/reprolab/models/${item.model.name}.py"),
    ],
)
def test_a_component_is_the_only_one_of_its_kind_among_the_deps(stage: str, folder: str, dep: str) -> None:
    deps = STAGES[stage]["do"]["deps"]
    assert dep in deps
    assert not {f"src/reprolab/{folder}/{name}.py" for name in module_names(folder)} & set(deps)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_own_parameters_alone(stage: str) -> None:
    params = STAGES[stage]["do"].get("params", [])
    assert all("${key}" in param for param in params)


def test_results_stay_in_the_run_cache() -> None:
    # A plain output with `cache: false` or `persist: true` would take its stage out of DVC's run cache.
    for stage in STAGES.values():
        for output in stage["do"].get("outs", []):
            assert isinstance(output, str), output


def test_the_drawing_in_the_docs_is_the_pipeline() -> None:
    command = [sys.executable, "-m", "dvc", "dag", "--collapse-foreach-matrix", "--md"]
    drawn = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    assert drawn.strip() in (REPOSITORY / "docs" / "pipeline.md").read_text()
