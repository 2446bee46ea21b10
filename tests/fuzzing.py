"""Documents and texts that params.yaml might hold, drawn by hypothesis, and what becomes of them."""

import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from reprolab.core.config import Params, load_params
from reprolab.core.errors import CHARACTERS, LINES, InputError
from reprolab.core.files import read_yaml
from reprolab.models.build import resolve_experiments
from reprolab.models.classifier import build_classifier
from reprolab.studies.space import checked_plan
from tests.factories import REPOSITORY, make_split_info

DOCUMENTS = int(os.environ.get("REPROLAB_FUZZ", "100"))
WHOLE = read_yaml(REPOSITORY / "params.yaml")
# One experiment of each architecture, which the others repeat.
MODELS = {
    entry["model"]["name"]: name for name, entry in WHOLE["experiments"].items() if entry["init_from"] == "random"
}
SOURCES = {entry["source"]["name"]: name for name, entry in WHOLE["datasets"].items()}
EXPERIMENTS = {name: WHOLE["experiments"][name] for name in MODELS.values()}
SHAPES = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "points": (2,),
    "wine": (11,),
    "iris": (4,),
}
STUDIED = {"dataset": EXPERIMENTS[MODELS["cnn"]]["dataset"], "of": MODELS["cnn"]}
VALID = {
    "datasets": {entry["dataset"]: WHOLE["datasets"][entry["dataset"]] for entry in EXPERIMENTS.values()}
    | {name: WHOLE["datasets"][name] for name in SOURCES.values()},
    "experiments": EXPERIMENTS,
    "comparisons": {"one": {"dataset": next(iter(EXPERIMENTS.values()))["dataset"], "title": "One", "curves": True}},
    "studies": {
        "grid": {
            **STUDIED,
            "title": "Grid",
            "space": {"model": {"dropout": [0.0, 0.5]}, "training": {"optimizer": {"lr": [0.1, 0.01]}}},
            "search": {"name": "grid", "seeds": 2},
        },
        "drawn": {
            **STUDIED,
            "space": {"training": {"epochs": {"low": 1, "high": 9}, "batch_size": {"low": 1, "high": 64, "log": True}}},
            "search": {"name": "tpe", "points": 5, "seed": 1, "pruning": 1},
            "objective": "validation_loss",
        },
        "seeds": {**STUDIED, "search": {"name": "seeds", "seeds": [0, 1]}},
        "folds": {**STUDIED, "search": {"name": "folds", "folds": 5}},
        "lent": {**STUDIED, "search": {"name": "contamination", "shares": [0, 0.5]}},
    },
    "contrasts": {"two": {"title": "Two", "first": "seeds", "second": "folds"}},
}


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize="REPROLAB_FUZZ" not in os.environ,  # the same ones each time, unless more are asked for
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**3, 10**9, 2**63, 10**30, -(10**30), 16**5000, 0.0, -0.5, 0.5, 1.0, 1e-300,
    1e300, -1e300, 5e-324, float("nan"), float("inf"), float("-inf"), "", " ", "0,006", "0, 1, 2", "1e-3", ".nan",
    "null", "random", "imagenet", "train", "adam", "\ud800", "\0", "\x1b[31m", "$x^2$", r"$\frac{1}$", "-x", "--title",
    "${item}", "{name}", "%s", "é" * 300, "a" * 10**5, "../..", "/etc/passwd", "a\nb", "'; rm -rf x; '", "🐈",
    [], [[]], [{}], [None], [0] * 5000, list(range(5000)), [1e300], ["a"], {}, {"name": None}, {"name": []},
    {"name": "mlp"}, {"name": "../core/config"}, {1: 2}, {None: None}, {"a" * 10**4: 1}, {"": ""}, {(1, 2): 3}, b"\xff",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=30),
    st.integers(0, len(HOSTILE) - 1).map(lambda index: deepcopy(HOSTILE[index])),
)
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4), st.dictionaries(st.one_of(st.text(max_size=8), st.integers()), inside, max_size=4)
    ),
    max_leaves=8,
)


def paths(section: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys that lead to each value."""
    if isinstance(section, dict):
        return [here, *(path for key, value in section.items() for path in paths(value, (*here, key)))]
    return [here]


def value_at(document: Any, path: Sequence[Any]) -> Any:
    """None where there is none."""
    for key in path:
        if not (isinstance(document, dict) and key in document):
            return None
        document = document[key]
    return document


PATHS = [path for path in paths(VALID) if path]
LEAVES = [path for path in PATHS if not isinstance(value_at(VALID, path), dict)]
OPTIONS = {"hidden", "dropout", "padding", "channels", "width", "layers", "heads", "patch", "depth", "head", "factor"}
KEYS = sorted({key for path in PATHS for key in path if isinstance(key, str)} | OPTIONS)
NEW_KEYS = st.one_of(
    st.sampled_from(KEYS), st.text(max_size=200), SCALARS.filter(lambda key: not isinstance(key, list | dict))
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """The valid document after one to three edits: mostly of a value, or a key is added, renamed or removed."""
    document = deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["value", "value", "value", "section", "add", "rename", "remove"]))
        *way, last = draw(st.sampled_from(LEAVES if kind == "value" else PATHS))
        section = value_at(document, way)
        if not isinstance(section, dict) or last not in section:
            continue  # an edit before has removed it
        if kind == "add" and isinstance(section[last], dict):
            section[last][draw(NEW_KEYS)] = draw(VALUES)
        elif kind == "rename":
            section[draw(NEW_KEYS)] = section.pop(last)
        elif kind == "remove":
            del section[last]
        else:
            section[last] = draw(SCALARS if kind == "value" else VALUES)
    return document


def refused(action: Callable[[], object]) -> str:
    """The message of the refusal, which fits a screen; empty where there is none."""
    try:
        action()
    except InputError as error:
        text = str(error)
        assert text.strip() and len(text) <= CHARACTERS and text.count("\n") < LINES
        text.encode("utf-8")
        return text
    return ""


def params_of(document: Any) -> Params:
    """As `load_params` of a file that holds this document."""
    with patch("reprolab.core.config.read_yaml", lambda path: document):
        return load_params()


def check_params(document: Any) -> str:
    """As `reprolab check`, studies among them, and the networks of all experiments for data of the form that theirs
    have."""

    def check() -> None:
        params = params_of(document)
        resolve_experiments(params)
        for name, dataset in params.datasets.items():
            dataset.source.resolved(f"datasets.{name}.source")
        for name in params.studies:
            checked_plan(params, name)
        for experiment in params.experiments.values():
            shape = SHAPES[params.datasets[experiment.dataset].source.name]
            with torch.device("meta"):
                build_classifier(experiment, make_split_info(shape, classes=2))

    return refused(check)


TEXT = """\
datasets:
  digits:
    source: {name: digits}
    split: {validation: 0.1, seed: 0}
comparisons:
  digits: {dataset: digits, title: Digits}
studies:
  s:
    dataset: digits
    of: small
    space: {training: {epochs: [1, 2], optimizer: {lr: [0.3]}}}
    search: {name: folds, folds: 5}
contrasts: {}
experiments:
  small:
    dataset: digits
    model: {name: mlp, hidden: [8], activation: relu}
    init_from: random
    input: {size: 8, mean: [0.5], std: [0.5]}
    training:
      epochs: 2
      batch_size: 16
      optimizer: {name: sgd, lr: 0.1}
      seeds: [0, 1]
"""
FRAGMENTS = [
    *"[]{}:,-?!&*#|>'\"%@`~=\t\n\0\ufeff\x85\u2028",
    *("- ", ": ", "? ", "\n\n", "  ", "&a ", "*a", "<<: ", "<<: *a", "---\n", "...\n", "%YAML 1.1\n---\n"),
    *("!!bool 1", "!!int x", "!!float ''", "!!binary '='", "!!timestamp x", "!!set {a, b}", "!!omap [a: 1]"),
    *("!!null x", "!!str", "!!map []", "!!seq {}", "!!merge x", "!<x>", "!!python/object/apply:os.system [id]", "!x"),
    *('"\\ud800"', '"\\x"', '"\\U00110000"', "é" * 1000, "x" * 10**5),
    *("0x" + "f" * 5000, "9" * 5000, "1_000", "0o17", "012", "1e400", "-.nan", ".inf", "1e3", "1e-3", "0,006"),
    *("yes", "2024-02-30", "2024-01-01", "12:30:45"),
    *("[" * 500, "{a: " * 500, "- " * 500, "? " * 500),
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The text after one to three insertions, some in the place of what stood there."""
    text = TEXT
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(TEXT)))
        end = start + draw(st.sampled_from([0, 0, 1, 5, 20]))
        text = text[:start] + draw(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5))) + text[end:]
    return text


def check_file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return refused(lambda: resolve_experiments(load_params(path)))
