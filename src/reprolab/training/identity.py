"""The identity of a training: the hash of what one seed's weights are made from, by meaning.

These are the parameters that shape it, the content of its data and starting weights, and the code: for every module of
this project that `training.run` imports, directly or through others, and for what the experiment names, the syntax tree
without docstrings, comments and layout. `core` is left out: it counts by the values that it yields, the resolved
parameters among them. So are `tracking` and `cli`, which shape no weights.

The tree is walked here, since `ast.dump`, `ast.unparse` and bytecode differ between versions of Python.
"""

import ast
import hashlib
import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reprolab.core.errors import InputError
from reprolab.core.files import Record
from reprolab.core.registry import LIBRARY, components

if TYPE_CHECKING:
    from reprolab.core.config import Experiment
    from reprolab.data.parts import TrainingData
    from reprolab.models.pretrained import PretrainedWeights

STARTED = time.time()
PROJECT = "reprolab"
START = f"{PROJECT}.training.run"
LEFT_OUT = tuple(f"{PROJECT}.{room}" for room in ("core", "tracking", "cli"))
DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
OWN_ERRORS = ("InputError", "DivergenceError")  # the texts in their arguments shape nothing


class Origin(Record):
    """What one seed's training is made from: the parameters that shape it, and hashes of its data, of the weights that
    it starts from ("" for random ones) and of each module of its code."""

    parameters: dict[str, Any]
    seed: int
    data: str
    pretrained: str
    modules: dict[str, str]

    @property
    def identity(self) -> str:
        return hash_of({**self.model_dump(exclude={"modules"}), "code": hash_of(self.modules)})


def origins_of(
    experiment: "Experiment", data: "TrainingData", pretrained: "PretrainedWeights | None"
) -> dict[int, Origin]:
    """Of each seed's training of a resolved experiment."""
    parameters = experiment.model_dump(mode="json", exclude_none=True)
    seeds = parameters["training"].pop("seeds")
    modules = module_hashes(START, *(component.module_name for component in components(experiment)))
    data_digest, pretrained_digest = data_hash(data), _pretrained_hash(pretrained) if pretrained else ""
    return {
        seed: Origin(parameters=parameters, seed=seed, data=data_digest, pretrained=pretrained_digest, modules=modules)
        for seed in seeds
    }


def hash_of(content: object) -> str:
    """Of what JSON can say, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def data_hash(data: "TrainingData") -> str:
    """Of the arrays, the labels and what is known of the split."""
    digest = hashlib.sha256(data.info.model_dump_json().encode())
    for part in (data.train, data.validation):
        for array in (part.inputs, part.labels) if part else ():
            _add_array(digest, array)
    return digest.hexdigest()


def code_hash(*modules: str) -> str:
    return hash_of(module_hashes(*modules))


def module_hashes(*modules: str) -> dict[str, str]:
    """The hash of each of the modules and of all that they import, by the module's name."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and not any(f"{name}.".startswith(f"{room}.") for room in LEFT_OUT):
            found[name] = module_hash(_source(name))
            # To import a module is to run the packages that it lies in.
            waiting += [*_imported_modules(name), *filter(None, [name.rpartition(".")[0]])]
    return found


@cache
def module_hash(source: str) -> str:
    """Of a module's meaning: comments, docstrings and layout do not count, nor do the texts of our own errors."""
    digest = hashlib.sha256()
    _add_node(digest, ast.parse(source), texts_count=True)
    return digest.hexdigest()


@cache
def _imported_modules(name: str) -> list[str]:
    """Of this project, anywhere in a module, but not only for types."""
    names = {imported for imported in _imports(ast.parse(_source(name))) if imported.split(".")[0] == PROJECT}
    return sorted(found for found in names if _path(found))


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        for otherwise in node.orelse:
            yield from _imports(otherwise)
        return
    if isinstance(node, ast.ImportFrom):
        yield from [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
    elif isinstance(node, ast.Import):
        yield from [alias.name for alias in node.names]
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def _path(name: str) -> Path | None:
    base = LIBRARY.parent / name.replace(".", "/")
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _source(name: str) -> str:
    path = _path(name)
    assert path, name
    if STARTED < path.stat().st_mtime <= time.time():
        raise InputError(f"{path} changed while this process started, which may run what it was before: start it again")
    return path.read_text(encoding="utf-8")


def _add_node(digest: Any, node: Any, texts_count: bool) -> None:
    match node:
        case ast.Constant(value=str()) if not texts_count:
            digest.update(b"text;")
        case ast.Constant():
            _add_text(digest, type(node.value).__name__, str(node.value))
        case ast.AST():
            _add_text(digest, type(node).__name__)
            own_error = isinstance(node, ast.Call) and getattr(node.func, "id", "") in OWN_ERRORS
            for field, value in ast.iter_fields(node):
                # Newer versions of Python add fields, empty in code that older ones read.
                if value is not None and value != []:
                    _add_text(digest, field)
                    body = _without_docstring(value) if field == "body" and isinstance(node, DOCUMENTED) else value
                    _add_node(digest, body, texts_count and not (own_error and field in ("args", "keywords")))
            # Without an end a field that is skipped could be taken for one of the node around it.
            digest.update(b")")
        case list():
            digest.update(b"[")
            for element in node:
                _add_node(digest, element, texts_count)
            digest.update(b"]")
        case _:
            _add_text(digest, type(node).__name__, str(node))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
        case _:
            return body


def _add_text(digest: Any, *texts: str) -> None:
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(f"{len(encoded)}:".encode() + encoded)


def _add_array(digest: Any, array: np.ndarray) -> None:
    _add_text(digest, str(array.dtype), str(array.shape))
    digest.update(np.ascontiguousarray(array).data)


def _pretrained_hash(pretrained: "PretrainedWeights") -> str:
    digest = hashlib.sha256(pretrained.origin.encode())
    for name, value in sorted(pretrained.weights.items()):
        _add_text(digest, name)
        _add_array(digest, value.numpy())
    return digest.hexdigest()
