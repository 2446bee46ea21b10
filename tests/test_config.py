"""params.yaml: what is accepted, and how each error is reported."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolab.core.config import Experiment, Params, load_params
from reprolab.core.errors import InputError
from reprolab.models.build import resolve_experiments
from tests.factories import REPOSITORY, SPLIT, experiment_settings, make_params, params_settings

TRAINING = "experiments.small.training"
VALID = params_settings({"small": {}})


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
    assert list(resolve_experiments(params)) == list(params.experiments)
    assert params.experiments_of("digits") == ["digits-mlp", "digits-lenet5"]


def test_defaults_change_nothing_that_params_does_not_ask_for(tmp_path: Path) -> None:
    experiment = read(tmp_path, VALID).experiment("small")
    assert experiment.model_dump(mode="json") == {
        "dataset": "digits",
        "model": {"name": "mlp", "hidden": [8]},
        "init_from": "random",
        "freeze": "none",
        "frozen_statistics": "kept",
        "input": {"size": None, "channels": None, "mean": None, "std": None, "crop_padding": 0, "flip": False},
        "training": {
            "data": "train",
            "keep": None,
            "epochs": 2,
            "batch_size": 16,
            "optimizer": {"name": "sgd", "lr": 0.1},
            "schedule": {"name": "constant"},
            "loss": {"name": "cross_entropy"},
            "snapshots": False,
            "seeds": [0],
        },
    }


def test_an_experiment_survives_its_own_record(tmp_path: Path) -> None:
    experiment = read(tmp_path, VALID).experiment("small")
    assert Experiment.model_validate(experiment.model_dump(mode="json")) == experiment
    assert Experiment.model_validate_json(experiment.model_dump_json(exclude_none=True)) == experiment


def test_a_comparison_is_of_all_experiments_of_its_data_set_or_of_those_listed() -> None:
    listed = {"dataset": "digits", "experiments": ["two"], "curves": True}
    params = make_params(
        {"one": {}, "two": {}, "three": {"dataset": "mnist"}}, {"all": {"dataset": "digits"}, "some": listed}
    )
    every, some = params.comparison("all"), params.comparison("some")
    assert (params.compared(every), params.compared(some)) == (["one", "two"], ["two"])
    assert (every.title, every.curves, some.curves) == (None, False, True)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (f"{TRAINING}.epoch", 3, "unknown key 'epoch' (did you mean 'epochs'?); allowed: data, keep, epochs"),
        (f"{TRAINING}.epochs", None, f"{TRAINING}.epochs: this key is missing"),
        (f"{TRAINING}.epochs", "ten", f"{TRAINING}.epochs: found 'ten'; it should be a valid integer"),
        (f"{TRAINING}.epochs", 0, "found 0; it should be greater than or equal to 1"),
        (f"{TRAINING}.optimizer.name", "adm", f"{TRAINING}.optimizer.name: unknown name 'adm' (did you mean 'adam'?)"),
        (f"{TRAINING}.optimizer.name", None, f"{TRAINING}.optimizer.name: this key is missing"),
        (f"{TRAINING}.optimizer", 3, f"{TRAINING}.optimizer: found 3; it should be a valid mapping"),
        (
            f"{TRAINING}.schedule",
            {"name": "one-cycle"},
            f"{TRAINING}.schedule.name: unknown name 'one-cycle' (did you mean 'one_cycle'?); allowed: constant,",
        ),
        (f"{TRAINING}.schedule", {"warmup": 0.2}, f"{TRAINING}.schedule.name: this key is missing"),
        (
            f"{TRAINING}.loss",
            {"name": "none"},
            f"{TRAINING}.loss.name: unknown name 'none'; allowed: cross_entropy",
        ),
        (f"{TRAINING}.loss", "hinge", f"{TRAINING}.loss: found 'hinge'; it should be a valid mapping"),
        (f"{TRAINING}.data", "test", f"{TRAINING}.data: found 'test'; it should be 'train' or 'train+validation'"),
        (f"{TRAINING}.seeds", [], f"{TRAINING}.seeds: found []; it should have at least 1 item"),
        (f"{TRAINING}.seeds", [1, 1], f"{TRAINING}.seeds: found [1, 1]; it should hold different seeds"),
        (f"{TRAINING}.seeds", [1, -1], f"{TRAINING}.seeds.1: found -1; it should be greater than or equal to 0"),
        (
            "experiments.small.model.name",
            "lenet",
            "experiments.small.model.name: unknown name 'lenet' (did you mean 'lenet5'?); allowed: alexnet, alexnet32",
        ),
        ("experiments.small.dataset", "digit", "experiments.small.dataset: unknown data set 'digit' (did you mean"),
        ("experiments.small.input", {"mean": [0.5]}, "experiments.small.input: found {'mean': [0.5]}; it should have"),
        (
            "experiments.small.input",
            {"mean": [0.5], "std": [1.0, 1.0]},
            "mean and std should have one number a channel each",
        ),
        (
            "experiments.two words",
            experiment_settings(),
            "experiments.two words: found 'two words'; it should match pattern '^[A-Za-z0-9][A-Za-z0-9_-]*$'",
        ),
        (
            "datasets.digits.source.name",
            "digit",
            "datasets.digits.source.name: unknown name 'digit' (did you mean 'digits'",
        ),
        ("datasets.digits.split.validation", 1.5, "datasets.digits.split.validation: found 1.5; it should be a share"),
        (f"{TRAINING}.seeds", 3, f"{TRAINING}.seeds: found 3; it should be a valid list"),
        (TRAINING, 3, f"{TRAINING}: found 3; it should be a valid mapping"),
        ("datasets.comparison", VALID["datasets"]["digits"], "datasets.comparison: this name has a meaning of its own"),
        ("datasets.costs", VALID["datasets"]["digits"], "datasets.costs: this name has a meaning of its own"),
        ("experiments.imagenet", VALID["experiments"]["small"], "experiments.imagenet: this name has a meaning"),
        ("experiments.data", VALID["experiments"]["small"], "experiments.data: this name has a meaning of its own"),
        ("experiments.small.init_from", None, "experiments.small.init_from: this key is missing"),
        ("experiments.small.input", None, "experiments.small.input: this key is missing"),
        (
            "experiments.small.init_from",
            "imagnet",
            "experiments.small.init_from: unknown start 'imagnet' (did you mean 'imagenet'?); allowed: random,",
        ),
        ("experiments.small.init_from", "small", "experiments.small.init_from: unknown start 'small'"),
        ("experiments.small.init_from", {"experiment": "other"}, "it should be 'random', 'imagenet' or the name of an"),
        ("experiments.small.freeze", "all-but-head", "small: freeze needs weights that are trained already"),
        ("experiments.small.freeze", "all", "small.freeze: found 'all'; it should be 'none', 'all-but-head' or {all"),
        ("experiments.small.freeze", {"all_but_last": 0}, "it should be 'none', 'all-but-head' or {all_but_last: n}"),
        ("experiments.small.input", {"channels": 4}, "experiments.small.input.channels: found 4; it should be 3"),
        ("comparisons.one", {"title": "One"}, "comparisons.one.dataset: this key is missing"),
        ("comparisons.one", {"dataset": "digits", "curve": True}, "comparisons.one: unknown key 'curve' (did you mean"),
        (
            "comparisons.one",
            {"dataset": "digit"},
            "comparisons.one.dataset: unknown data set 'digit' (did you mean 'digits'?); allowed: digits",
        ),
        (
            "comparisons.one",
            {"dataset": "digits", "experiments": ["smal"]},
            "comparisons.one.experiments: no experiment of digits 'smal' (did you mean 'small'?); allowed: small",
        ),
        (
            "comparisons.one",
            {"dataset": "digits", "experiments": ["small", "small"]},
            "comparisons.one.experiments: found ['small', 'small']; it should hold different experiments",
        ),
        (
            "comparisons.one",
            {"dataset": "digits", "experiments": []},
            "comparisons.one.experiments: found []; it should",
        ),
        (
            "study",
            {},
            "unknown key 'study' (did you mean 'studies'?); allowed: datasets, experiments, comparisons, studies, c",
        ),
        ("datasets", None, "datasets: this key is missing"),
        ("comparisons", None, "comparisons: this key is missing"),
    ],
)
def test_an_error_is_reported_with_its_key_and_what_is_allowed(
    tmp_path: Path, key: str, value: Any, expected: str
) -> None:
    with pytest.raises(InputError, match=r"params\.yaml has 1 error\(s\):") as error:
        read(tmp_path, changed(key, value))
    assert expected in str(error.value)


def test_a_comparison_of_a_data_set_without_experiments_is_refused(tmp_path: Path) -> None:
    params = changed("datasets.mnist", {"source": {"name": "mnist"}, "split": SPLIT})
    params["comparisons"]["numbers"] = {"dataset": "mnist"}
    with pytest.raises(InputError, match=r"comparisons\.numbers: no experiment has `dataset: mnist`; add one"):
        read(tmp_path, params)


def test_one_error_is_reported_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 1 error\(s\)"):
        read(tmp_path, changed("experiments.small.freeze", {"all_but_lst": 3}))


def test_a_circle_of_starts_is_reported(tmp_path: Path) -> None:
    params = changed("experiments.small.init_from", "second")
    params["experiments"]["second"] = experiment_settings(init_from="small")
    # It starts from one in the circle and is not in it.
    params["experiments"]["first"] = experiment_settings(init_from="second")
    with pytest.raises(
        InputError, match=r"\.init_from: a circle, (second from small from second|small from second from small);"
    ):
        read(tmp_path, params)


def test_the_errors_of_all_sections_are_reported_at_once(tmp_path: Path) -> None:
    params = changed(f"{TRAINING}.epochs", 0)
    params["experiments"]["small"]["training"]["batch_size"] = "many"
    params["datasets"]["digits"]["split"]["seed"] = -1
    with pytest.raises(InputError, match=r"has 3 error\(s\):\n") as error:
        read(tmp_path, params)
    for key in (f"{TRAINING}.epochs", f"{TRAINING}.batch_size", "datasets.digits.split.seed"):
        assert f"\n  {key}: found" in str(error.value)


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = (REPOSITORY / "params.yaml").read_text().replace("lr: 0.01,", "lr: 1e-2,")
    path.write_text(text)
    assert load_params(path).experiment("lenet5-classic").training.optimizer.options["lr"] == 0.01


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
def test_a_file_that_is_no_params_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml") as error:
        load_params(path)
    assert expected in str(error.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run this from the repository's root"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("method", "name"),
    [("experiment", "smal"), ("dataset", "digit"), ("comparison", "on"), ("study", "sed"), ("contrast", "bot")],
)
def test_an_unknown_name_is_reported_with_the_known_ones(method: str, name: str) -> None:
    document = params_settings({"small": {}}, {"one": {"dataset": "digits"}})
    study = {"dataset": "digits", "of": "small", "search": {"name": "seeds", "seeds": 2}}
    more = {"studies": {"seeds": study, "other": study}, "contrasts": {"both": {"first": "seeds", "second": "other"}}}
    params = Params.model_validate(document | more)
    with pytest.raises(InputError, match=f"'{name}'.*did you mean.*allowed"):
        getattr(params, method)(name)
