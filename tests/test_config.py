"""params.yaml: what is accepted, and what each mistake is told."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolab.components import component_function
from reprolab.config import Component, Experiment, Params, load_params
from reprolab.errors import InputError
from reprolab.models import check_models
from tests.conftest import REPOSITORY

VALID: dict[str, Any] = {
    "datasets": {"digits": {"source": {"name": "digits"}, "split": {"validation": 0.1, "seed": 0}}},
    "experiments": {
        "small": {
            "dataset": "digits",
            "model": {"name": "mlp", "hidden": [8]},
            "init_from": "random",
            "input": {},
            "training": {
                "epochs": 2,
                "batch_size": 16,
                "optimizer": {"name": "sgd", "lr": 0.1},
                "seeds": [0],
            },
        }
    },
}


def read(tmp_path: Path, params: Any) -> Params:
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(params, file)
    return load_params(path)


def changed(key: str, value: Any) -> dict[str, Any]:
    """The valid parameters with one value changed, or removed where `value` is None."""
    params = deepcopy(VALID)
    *path, last = key.split(".")
    section = params
    for part in path:
        section = section.setdefault(part, {})
    if value is None:
        del section[last]
    else:
        section[last] = value
    return params


def test_the_repository_s_own_parameters_are_valid() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    check_models(params)
    assert params.experiments_of("digits") == ["digits-mlp", "digits-lenet5"]


def test_defaults_change_nothing_that_params_does_not_ask_for(tmp_path: Path) -> None:
    # dvc.yaml leaves config.py out of the trainings' dependencies, so its defaults must stay what they are.
    experiment = read(tmp_path, VALID).experiment("small")
    assert experiment.model_dump(mode="json") == {
        "dataset": "digits",
        "model": {"name": "mlp", "hidden": [8]},
        "init_from": "random",
        "freeze": "none",
        "input": {"size": None, "channels": None, "mean": None, "std": None, "crop_padding": 0, "flip": False},
        "training": {
            "data": "train",
            "epochs": 2,
            "batch_size": 16,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
            "schedule": None,
            "loss": "cross-entropy",
            "snapshots": False,
            "seeds": [0],
        },
    }
    one_cycle = changed("experiments.small.training.schedule", {"name": "one-cycle"})
    schedule = read(tmp_path, one_cycle).experiment("small").training.schedule
    assert schedule and schedule.model_dump() == {"name": "one-cycle", "warmup": 0.3}
    adam = changed("experiments.small.training.optimizer", {"name": "adam", "lr": 0.1})
    optimizer = read(tmp_path, adam).experiment("small").training.optimizer
    assert optimizer.model_dump() == {"name": "adam", "lr": 0.1, "weight_decay": 0.0}


def test_an_experiment_survives_its_own_record(tmp_path: Path) -> None:
    experiment = read(tmp_path, VALID).experiment("small")
    assert Experiment.model_validate(experiment.model_dump(mode="json")) == experiment


TRAINING = "experiments.small.training"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (f"{TRAINING}.epoch", 3, "unknown key 'epoch' (did you mean 'epochs'?); allowed: data, epochs"),
        (f"{TRAINING}.epochs", None, f"{TRAINING}.epochs: this key is missing"),
        (f"{TRAINING}.epochs", "ten", f"{TRAINING}.epochs: found 'ten'; it should be a valid integer"),
        (f"{TRAINING}.epochs", 0, "found 0; it should be greater than or equal to 1"),
        (f"{TRAINING}.optimizer.lr", -0.1, f"{TRAINING}.optimizer.lr: found -0.1; it should be greater than 0"),
        (f"{TRAINING}.optimizer.lr", float("nan"), f"{TRAINING}.optimizer.lr: found nan; it should be a finite number"),
        (f"{TRAINING}.optimizer.name", "adm", f"{TRAINING}.optimizer.name: unknown name 'adm' (did you mean 'adam'?)"),
        (f"{TRAINING}.optimizer.name", None, f"{TRAINING}.optimizer: the key `name` is missing"),
        (f"{TRAINING}.optimizer.beta", 1, "unknown key 'beta'; allowed: name, lr, momentum, weight_decay"),
        (f"{TRAINING}.data", "test", f"{TRAINING}.data: found 'test'; it should be 'train' or 'train+validation'"),
        (f"{TRAINING}.seeds", [], f"{TRAINING}.seeds: found []; it"),
        (f"{TRAINING}.seeds", [1, 1], f"{TRAINING}.seeds: found [1, 1]; it should hold different seeds"),
        (f"{TRAINING}.seeds", [1, -1], f"{TRAINING}.seeds.1: found -1; it should be greater than or equal to 0"),
        (
            "experiments.small.model.name",
            "lenet",
            "experiments.small.model.name: unknown name 'lenet' (did you mean 'lenet5'?); allowed: alexnet, alexnet32",
        ),
        ("experiments.small.dataset", "digit", "experiments.small.dataset: unknown data set 'digit' (did you mean"),
        ("experiments.small.input", {"mean": [0.5]}, "experiments.small.input: found {'mean': [0.5]}; it should have"),
        ("experiments.two words", {}, "experiments.two words"),
        (
            "datasets.digits.source.name",
            "digit",
            "datasets.digits.source.name: unknown name 'digit' (did you mean 'digits'",
        ),
        ("datasets.digits.split.validation", 1.5, "datasets.digits.split.validation: found 1.5; it should be a share"),
        (f"{TRAINING}.seeds", 3, f"{TRAINING}.seeds: found 3; it should be a valid list"),
        (TRAINING, 3, f"{TRAINING}: found 3; it should be a valid mapping"),
        ("datasets.comparison", VALID["datasets"]["digits"], "datasets.comparison: this name has a meaning of its own"),
        ("experiments.imagenet", VALID["experiments"]["small"], "experiments.imagenet: this name has a meaning"),
        ("experiments.small.init_from", None, "experiments.small.init_from: this key is missing"),
        ("experiments.small.input", None, "experiments.small.input: this key is missing"),
        (
            "experiments.small.init_from",
            "imagnet",
            "experiments.small.init_from: unknown start 'imagnet' (did you mean 'imagenet'?); allowed: random,",
        ),
        ("experiments.small.init_from", "small", "experiments.small.init_from: unknown start 'small'"),
        ("experiments.small.init_from", {"experiment": "other"}, "it should be 'random', 'imagenet' or the name of an"),
        (
            "experiments.small.freeze",
            "all-but-head",
            "small: freeze needs weights that are trained already",
        ),
        (
            "experiments.small.freeze",
            "all",
            "small.freeze: found 'all'; it should be 'none', 'all-but-head' or {all",
        ),
        ("experiments.small.freeze", {"all_but_last": 0}, "it should be 'none', 'all-but-head' or {all_but_last: n}"),
        ("experiments.small.input", {"channels": 4}, "experiments.small.input.channels: found 4; it should be 3"),
        (f"{TRAINING}.loss", "hinge", f"{TRAINING}.loss: found 'hinge'; it should be 'cross-entropy' or 'perceptron'"),
        ("studies", {"one": {"title": "One", "dataset": "digits"}}, "studies.one.experiments: this key is missing"),
        (
            "studies",
            {"one": {"title": "One", "dataset": "digit", "experiments": ["small"]}},
            "studies.one.dataset: unknown data set 'digit' (did you mean 'digits'?)",
        ),
        (
            "studies",
            {"one": {"title": "One", "dataset": "digits", "experiments": ["smal"]}},
            "studies.one.experiments: no experiment of digits 'smal' (did you mean 'small'?)",
        ),
        (
            "studies",
            {"one": {"title": "One", "dataset": "digits", "experiments": ["small", "small"]}},
            "studies.one.experiments: found ['small', 'small']; it should hold different experiments",
        ),
        ("datasets", None, "datasets: this key is missing"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_is_allowed(
    tmp_path: Path, key: str, value: Any, expected: str
) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, changed(key, value))
    assert expected in str(error.value)


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 1 mistake"):
        read(tmp_path, changed("experiments.small.freeze", {"all_but_lst": 3}))


def test_a_circle_of_starts_is_told(tmp_path: Path) -> None:
    params = changed("experiments.small.init_from", "second")
    params["experiments"]["second"] = deepcopy(params["experiments"]["small"]) | {"init_from": "small"}
    # It starts from one in the circle and is not in it.
    params["experiments"]["first"] = deepcopy(params["experiments"]["small"])
    with pytest.raises(
        InputError, match=r"\.init_from: a circle, (second from small from second|small from second from small);"
    ):
        read(tmp_path, params)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "init_from",
            "imagenet",
            "small: scikit-learn's mlp_classifier knows no init_from 'imagenet'; leave",
        ),
        ("input", {"flip": True}, "knows no input.flip; leave it out, or choose the model mlp"),
        ("training.loss", "perceptron", "knows no training.loss 'perceptron'; leave it out"),
        ("training.schedule", {"name": "one-cycle"}, "knows no training.schedule; leave it out"),
    ],
)
def test_what_scikit_learn_cannot_do_is_refused(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    params = changed(f"experiments.small.{key}", value)
    params["experiments"]["small"]["model"] = {"name": "mlp_classifier", "hidden": [2]}
    with pytest.raises(InputError, match=expected):
        read(tmp_path, params)


def test_the_mistakes_of_all_sections_are_told_at_once(tmp_path: Path) -> None:
    params = changed(f"{TRAINING}.epochs", 0)
    params["experiments"]["small"]["training"]["batch_size"] = "many"
    with pytest.raises(InputError, match=r"2 mistake") as error:
        read(tmp_path, params)
    assert f"{TRAINING}.epochs" in str(error.value) and f"{TRAINING}.batch_size" in str(error.value)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"name": "mlp"}, "model.hidden: this option of 'mlp' is missing"),
        ({"name": "mlp", "hidden": [0]}, "model.hidden.0: found 0; it should be greater than or equal to 1"),
        ({"name": "mlp", "width": 3}, "model.width: unknown option of 'mlp'; allowed: hidden"),
        ({"name": "lenet5", "activation": "gelu"}, "model.activation: found 'gelu'; it should be 'tanh' or 'relu'"),
        ({"name": "lenet5", "poling": "max"}, "model.poling: unknown option of 'lenet5' (did you mean 'pooling'?)"),
    ],
)
def test_a_model_s_options_are_those_of_its_function(model: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        component_function("models", "build", Component(**model), "model")
    assert expected in str(error.value)


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = (REPOSITORY / "params.yaml").read_text().replace("lr: 0.01,", "lr: 1e-2,")
    path.write_text(text)
    assert load_params(path).experiment("lenet5-classic").training.optimizer.lr == 0.01


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("datasets: {digits: [", "is not valid YAML"),
        ("datasets: &a {}\nexperiments: *a\n", "uses a YAML alias"),
        ("datasets: {}\ndatasets: {}\n", "duplicate key"),
        ("", "the whole file: found None; it should be a valid mapping"),
        ("[a]", "the whole file: found ['a']; it should be a valid mapping"),
    ],
)
def test_a_file_that_is_no_good_is_told(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml") as error:
        load_params(path)
    assert expected in str(error.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run this from the repository's root"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(("method", "name"), [("experiment", "smal"), ("dataset", "digit"), ("study", "on")])
def test_an_unknown_name_is_told_with_the_known_ones(tmp_path: Path, method: str, name: str) -> None:
    params = changed("studies", {"one": {"title": "One", "dataset": "digits", "experiments": ["small"]}})
    with pytest.raises(InputError, match=f"'{name}'.*did you mean.*allowed"):
        getattr(read(tmp_path, params), method)(name)
