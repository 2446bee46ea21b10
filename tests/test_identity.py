"""The identity of a training changes with what its weights are made from, by meaning, and with nothing else."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import reprolab.training.identity as module
from reprolab.core.errors import InputError
from reprolab.models.build import resolve_experiment
from reprolab.models.pretrained import PretrainedWeights
from reprolab.training.identity import OWN_ERRORS, START, Origin, module_hash, module_hashes, origins_of
from reprolab.training.meter import DivergenceError
from tests.factories import REPOSITORY, make_experiment, make_origin, make_training_data

SOURCE = '''"""Docstring."""

from collections.abc import Callable

RATE = 0.5


class Layer:
    """A layer."""

    width: int = 4

    @property
    def double(self) -> int:
        return 2 * self.width


def scaled(value: float, *, by: float = RATE, shift: float) -> float:
    """Scale."""
    if value < 0:
        raise InputError(f"value: found {value}; it should be at least 0")
    return value * by + shift  # a comment
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a comment", ""),
        ('"""Docstring."""', '"""Another."""'),
        ('    """Scale."""\n', ""),
        ('    """A layer."""\n\n', ""),
        ("value * by + shift", "(value * by\n            + shift)"),
        ("\n\n\nclass", "\n\n\n\n\n# layers\nclass"),
        ("it should be at least 0", "a number from 0 on is allowed"),
    ],
    ids=["comment", "docstring", "no docstring", "docstring of a class", "layout", "blank lines", "text of an error"],
)
def test_what_changes_no_meaning_changes_no_hash(old: str, new: str) -> None:
    assert old in SOURCE
    assert module_hash(SOURCE.replace(old, new)) == module_hash(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.5", "RATE = 0.25"),
        ("RATE = 0.5", "RATE = None"),
        ("width: int = 4", "width: int = 5"),
        ("width: int = 4", "width: float = 4"),
        ("width: int = 4", "width: int = 4.0"),
        ("    @property\n", ""),
        ("by: float = RATE, shift: float", "by: float, shift: float = RATE"),
        ("by: float = RATE", "by: float = 1.0"),
        ("2 * self.width", "self.width * 2"),
        ("value < 0", "value <= 0"),
        ("found {value}", "found {by}"),
        ("class Layer:", "class Layer(Base):"),
        ('    """Scale."""\n', '    text = """Scale."""\n'),
        ("from collections.abc import Callable", "from collections.abc import Iterable"),
    ],
)
def test_what_may_change_meaning_changes_the_hash(old: str, new: str) -> None:
    assert old in SOURCE
    assert module_hash(SOURCE.replace(old, new)) != module_hash(SOURCE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f()(x)", "f(x)()"),
        ("f(x)(y=1)", "f(x, y=1)()"),
        ("@f()(x)\ndef g(): pass", "@f(x)()\ndef g(): pass"),
        ("def g():\n    (x): (yield) = 3", "def g():\n    (x): (yield 3)"),
        ("[None, f]", "[f, None]"),
        ("x = 1", "x = True"),
        ("x = '1'", "x = b'1'"),
    ],
)
def test_sources_that_look_alike_in_part_have_other_hashes(one: str, other: str) -> None:
    assert module_hash(one) != module_hash(other)


def test_a_function_with_a_docstring_alone_is_an_empty_one() -> None:
    assert module_hash('def f(): "Docstring."') == module_hash("def f(): pass")


def test_imports_are_absolute_and_by_name() -> None:
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0 and all(alias.name != "*" for alias in node.names), path


def test_a_module_that_changed_since_the_process_started_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STARTED", 0.0)
    with pytest.raises(InputError, match=r"run\.py changed while this process started.*: start it again"):
        module_hashes(START)


def test_the_errors_whose_texts_do_not_count_are_the_project_s_own() -> None:
    # No training imports what tracking raises, and whether it is imported here depends on the tests before.
    kinds = [kind for kind in InputError.__subclasses__() if not kind.__module__.startswith("reprolab.tracking")]
    assert set(OWN_ERRORS) == {InputError.__name__, *(kind.__name__ for kind in kinds)}
    assert DivergenceError in InputError.__subclasses__()


def test_modules_are_imported_by_a_computed_name_in_the_registry_alone() -> None:
    computing = {"import_module", "__import__", "exec", "spec_from_file_location"}
    found = {
        path.name
        for path in (REPOSITORY / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in computing
    }
    assert found == {"registry.py"}


def closure() -> dict[str, str]:
    return module_hashes(START, "reprolab.architectures.lenet5", "reprolab.training.optimizers.adam")


def test_the_closure_has_all_that_trains_and_nothing_else() -> None:
    found = set(closure())
    assert {
        "reprolab.training.loop", "reprolab.training.meter", "reprolab.training.scores", "reprolab.data.batches",
        "reprolab.data.streams", "reprolab.training.checkpoint", "reprolab.training.device",
        "reprolab.models.layers", "reprolab.models.pretrained", "reprolab.architectures.lenet5", "reprolab.training",
    } <= found  # fmt: skip
    rooms = {name.split(".")[1] for name in found if "." in name}
    assert rooms == {"architectures", "data", "models", "training"}  # not core, tracking, cli
    assert not {"reprolab.architectures.mlp", "reprolab.training.optimizers.sgd", "reprolab.training.archive"} & found


@pytest.mark.parametrize("name", sorted(closure()))
def test_every_module_of_the_closure_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, source = closure(), module._source
    monkeypatch.setattr(module, "_source", lambda wanted: source(wanted) + "\nNEW = 1\n" * (wanted == name))
    after = closure()
    assert {changed for changed in before if before[changed] != after[changed]} == {name}


def identity(changes: Any = None, seed: int = 0, **given: Any) -> str:
    experiment = resolve_experiment(make_experiment(**{"training": {"seeds": [0, 1]}, **(changes or {})}), "experiment")
    return origins_of(experiment, given.get("data", make_training_data()), given.get("start"))[seed].identity


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"seeds": [0]}},
        {"training": {"seeds": [7, 1, 0]}},
        {"training": {"seeds": [0, 1], "schedule": {"name": "constant"}, "snapshots": False}},
        {"training": {"seeds": [0, 1], "optimizer": {"name": "sgd", "momentum": 0.0, "lr": 0.1, "weight_decay": 0.0}}},
        {"model": {"name": "mlp", "activation": "relu", "hidden": [8]}},
        {"training": {"seeds": [0, 1], "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0}}},
        {"freeze": "none"},
    ],
    ids=["a seed less", "more seeds", "defaults", "defaults of an option", "order", "a whole number", "no freezing"],
)
def test_the_same_training_written_otherwise_is_the_same(changes: dict[str, Any]) -> None:
    assert identity(changes) == identity()


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"seeds": [0, 1], "optimizer": {"name": "sgd", "lr": 0.2}}},
        {"training": {"seeds": [0, 1], "optimizer": {"name": "adam", "lr": 0.1}}},
        {"training": {"seeds": [0, 1], "epochs": 3}},
        {"model": {"name": "mlp", "hidden": [9]}},
        {"input": {"size": 16}},
    ],
)
def test_another_parameter_is_another_training(changes: dict[str, Any]) -> None:
    assert identity(changes) != identity()


def test_seeds_data_and_starting_weights_count() -> None:
    data = make_training_data()
    labels = replace(data.train, labels=data.train.labels[::-1].copy())
    pixel = data.train.inputs.copy()
    pixel[0, 0, 0, 0] ^= 1
    start = PretrainedWeights("other, seed 0", {"weight": torch.zeros(2)})
    found = [
        identity(),
        identity(seed=1),
        identity(data=replace(data, train=labels)),
        identity(data=replace(data, train=replace(data.train, inputs=pixel))),
        identity(data=replace(data, validation=None)),
        identity(data=replace(data, info=data.info.model_copy(update={"mean": [0.25]}))),
        identity(start=start),
        identity(start=replace(start, weights={"weight": torch.tensor([0.0, np.finfo("float32").tiny])})),
        identity(start=replace(start, origin="other, seed 1")),
    ]
    assert len(set(found)) == len(found)


def test_an_origin_says_what_a_training_is_made_from() -> None:
    experiment = resolve_experiment(make_experiment({"seeds": [5, 2]}), "experiment")
    data, start = make_training_data(), PretrainedWeights("other, seed 0", {"weight": torch.zeros(2)})
    origins = origins_of(experiment, data, start)
    assert list(origins) == [origin.seed for origin in origins.values()] == [5, 2]
    one = origins[5]
    assert one.parameters["model"]["hidden"] == [8] and "seeds" not in one.parameters["training"]
    assert "reprolab.training.loop" in one.modules and "reprolab.training.optimizers.sgd" in one.modules
    assert one.model_copy(update={"seed": 2}) == origins[2]
    assert one.pretrained and not origins_of(experiment, data, None)[5].pretrained


def test_the_identity_is_that_of_an_origin_which_was_saved(tmp_path: Path) -> None:
    origin = origins_of(resolve_experiment(make_experiment(), "experiment"), make_training_data(), None)[0]
    origin.save(tmp_path / "origin.json")
    assert Origin.load(tmp_path / "origin.json").identity == origin.identity


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"parameters": {"a": 1}},
        {"data": "e"},
        {"pretrained": "f"},
        {"modules": {"reprolab.training": "c" * 64}},
        {"modules": {"reprolab.training.run": "d" * 64}},
    ],
    ids=str,
)
def test_every_part_of_an_origin_counts(changes: dict[str, Any]) -> None:
    assert make_origin(**changes).identity != make_origin().identity


WHAT_RAN = """
import sys, threading
from pathlib import Path
from reprolab.core.registry import LIBRARY, components
from reprolab.models.build import resolve_experiment
from reprolab.training.identity import START, module_hashes
from reprolab.training.run import train
from tests.factories import make_experiment, make_points, make_training_data

ran = set()
def note(frame, event, argument):
    ran.add(frame.f_code.co_filename)
threading.setprofile(note)
sys.setprofile(note)
images, points = make_training_data(), make_points(20)
convolutional = {"model": {"name": "lenet5"}, "input": {"size": 28, "crop_padding": 1, "flip": True}}
experiments = [(make_experiment(**convolutional), images), (make_experiment(), points)]
for experiment, data in experiments:
    train(experiment, data, None, 0)
sys.setprofile(None)
threading.setprofile(None)
hashed = set()
for experiment, _ in experiments:
    resolved = resolve_experiment(experiment, "experiment")
    hashed |= module_hashes(START, *(component.module_name for component in components(resolved))).keys()
for file in map(Path, ran):
    if file.is_relative_to(LIBRARY):
        name = ".".join(["reprolab", *file.relative_to(LIBRARY).with_suffix("").parts]).removesuffix(".__init__")
        if name not in hashed and not name.startswith("reprolab.core"):
            print(name)
print("loop ran:", any(file.endswith("training/loop.py") for file in ran))
"""


def test_what_runs_in_a_training_is_hashed() -> None:
    command = [sys.executable, "-c", WHAT_RAN]
    output = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    assert output == "loop ran: True\n"
