"""`studies` and `contrasts` of params.yaml: what is accepted, and how each error is told before anything is trained."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reprolab.core.config import load_params
from reprolab.core.errors import InputError
from reprolab.studies.plan import Plan
from reprolab.studies.space import checked_plan
from tests.factories import params_settings

STUDY: dict[str, Any] = {
    "dataset": "digits",
    "of": "small",
    "search": {"name": "grid"},
    "space": {"training": {"epochs": [1, 2]}},
}
RANDOM = {"name": "random", "points": 3}
FOLDS = {"name": "folds", "folds": 3}
WHOLE = {"small": {"training": {"data": "train+validation"}}}  # an experiment that holds nothing out


@pytest.fixture
def document() -> dict[str, Any]:
    """Of one experiment and one study, before it is written."""
    return params_settings({"small": {}}) | {"studies": {"s": deepcopy(STUDY)}}


def plan(document: dict[str, Any], folder: Path) -> Plan:
    """Of the study, as the stage and `reprolab check` have it."""
    path = folder / "params.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(document, file)
    return checked_plan(load_params(path), "s")


def refusal(document: dict[str, Any], folder: Path) -> str:
    with pytest.raises(InputError) as error:
        plan(document, folder)
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("of", "smal", "studies.s.of: no experiment of digits 'smal' (did you mean 'small'?); allowed: small"),
        ("of", None, "studies.s.of: this key is missing"),
        ("dataset", "digit", "studies.s.dataset: unknown data set 'digit' (did you mean 'digits'?); allowed: digits"),
        ("search", None, "studies.s.search: this key is missing"),
        ("search", "grid", "studies.s.search: found 'grid'; it should be a valid mapping"),
        ("search", {"name": "grids"}, "studies.s.search.name: unknown name 'grids' (did you mean 'grid'?); allowed: "),
        (
            "objective",
            "test_accuracy",
            "studies.s.objective: found 'test_accuracy'; it should be 'validation_accuracy'",
        ),
        ("title", "-x", "studies.s.title: found '-x'; it should not begin with '-'"),
        ("seeds", [0], "studies.s: unknown key 'seeds'; allowed: title, dataset, of, search, space, objective"),
    ],
)
def test_a_wrong_entry_is_named_by_its_key(
    key: str, value: Any, message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"][key] = value
    if value is None:
        del document["studies"]["s"][key]
    assert message in refusal(document, tmp_path)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"name": "grid", "points": 3}, "points: unknown option of 'grid'; allowed: seeds"),
        ({"name": "random"}, "points: this option of 'random' is missing"),
        ({"name": "tpe", "points": 0}, "points: found 0; it should be greater than or equal to 1"),
        ({"name": "tpe", "points": 10_001}, "points: found 10001; it should be less than or equal to 10000"),
        ({"name": "tpe", "points": 3, "pruning": True}, "pruning: found True; it should be a valid integer"),
        ({"name": "folds", "folds": 1}, "folds: found 1; it should be greater than or equal to 2"),
        ({"name": "seeds", "seeds": 0}, "seeds: found 0; it should be greater than or equal to 1"),
        ({"name": "seeds", "seeds": [-1]}, "seeds.0: found -1; it should be greater than or equal to 0"),
        ({"name": "contamination", "shares": [0.5, 2]}, "shares.1: found 2; it should be less than or equal to 1"),
        ({"name": "contamination", "shares": []}, "shares: found []; it should have at least 1 item"),
    ],
)
def test_a_wrong_option_of_a_search_is_named_by_its_key(
    search: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"]["search"] = search
    assert f"studies.s.search.{message}" in refusal(document, tmp_path)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"name": "seeds", "seeds": [1, 1]}, "seeds should hold different seeds"),
        ({"name": "contamination", "shares": [0.5, 0, 0.5]}, "shares should hold different shares"),
        ({"name": "tpe", "points": 3, "seeds": 2, "pruning": 1}, "pruning looks at a training while it runs"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    search: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"]["search"] = search
    assert refusal(document, tmp_path).startswith(f"studies.s.search: {message}")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ([1], "space: found [1]; it should be a valid mapping"),
        ({"training": {"epochs": []}}, "training.epochs: found an empty list; it should hold the values to try"),
        ({"training": {"epochs": [1, 2, 1]}}, "training.epochs: found a value twice; each should stand once"),
        ({"training": {"epochs": 3}}, "training.epochs: found 3; it should be a list of values, or {low: …, high: …}"),
        ({"training": {"epochs": {}}}, "training.epochs: found {}; it should be a list of values"),
        ({"training": {}}, "training: found {}; it should be a list of values"),
        ({"training": {"epochs": [1, 0]}}, "training.epochs: found 0; it should be greater than or equal to 1"),
        ({"training": {"epoch": [1]}}, "training: unknown key 'epoch' (did you mean 'epochs'?); allowed: data, keep,"),
        ({"training": {1: [1]}}, "training: unknown key 1"),
        ({"training.epochs": [1]}, "training.epochs: found a key with a dot; write each part on its own line"),
        ({"modle": {"hidden": [[1]]}}, "space: unknown key 'modle' (did you mean 'model'?); allowed: dataset, model,"),
        ({"model": {"width": [1]}}, "model.width: unknown option of 'mlp'; allowed: hidden, activation"),
        ({"model": {"hidden": [[0]]}}, "model.hidden.0: found 0; it should be greater than or equal to 1"),
        ({"model": {"name": {"mlp": [1]}}}, "model.name.mlp: 'name' is no mapping in this experiment, but 'mlp'"),
        ({"freeze": ["all-but-head"]}, "space: freeze needs weights that are trained already"),
        ({"dataset": ["digits"]}, "dataset: a study stays on its data set; remove this key"),
        ({"init_from": ["random"]}, "init_from: a study starts from random weights; remove this key"),
        ({"training": {"seeds": [[0]]}}, "training.seeds: how many seeds there are is said in `search`; remove"),
        ({"low": 1, "high": 2}, "high: found 2; it should be a list of values, or {low: …, high: …}"),
    ],
)
def test_a_wrong_space_is_named_by_its_key(space: Any, message: str, document: dict[str, Any], tmp_path: Path) -> None:
    document["studies"]["s"]["space"] = space
    found = refusal(document, tmp_path)
    assert "studies.s.space" in found and message in found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"low": 3, "high": 3}, "training.epochs: low 3 should be below high 3"),
        ({"low": 4, "high": 3}, "training.epochs: low 4 should be below high 3"),
        ({"low": 3}, "training.epochs.high: this key is missing"),
        ({"low": "1", "high": 3}, "training.epochs.low: found '1'; it should be a valid integer, without quotes: 1"),
        ({"low": 1, "high": 3, "step": 1}, "training.epochs: unknown key 'step'; allowed: low, high, log"),
        ({"low": 0, "high": 3, "log": True}, "training.epochs: low 0 should be above 0, since log is true"),
        ({"low": 0, "high": 3}, "training.epochs: found 0; it should be greater than or equal to 1"),
        ({"low": 1, "high": 10**6}, "training.epochs: found 1000000; it should be less than or equal to 100000"),
        ({"low": 1.5, "high": 3}, "training.epochs: found 1.5; it should be a valid integer"),
    ],
)
def test_a_wrong_range_is_named_by_its_key(
    values: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"] |= {"search": RANDOM, "space": {"training": {"epochs": values}}}
    assert message in refusal(document, tmp_path)


@pytest.mark.parametrize("search", [{"name": "grid"}, {"name": "seeds", "seeds": 2}, FOLDS])
def test_a_range_is_refused_by_a_search_that_tries_all_values(
    search: dict[str, Any], document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"] |= {"search": search, "space": {"training": {"epochs": {"low": 1, "high": 3}}}}
    assert refusal(document, tmp_path) == (
        f"studies.s.space.training.epochs: found a range, which has no end of values for '{search['name']}'; give a "
        "list, or search by random or tpe"
    )


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_sampler_needs_a_space(name: str, document: dict[str, Any], tmp_path: Path) -> None:
    document["studies"]["s"] |= {"search": {"name": name, "points": 3}, "space": {}}
    assert refusal(document, tmp_path) == f"studies.s.space: '{name}' needs a space to draw points from; add one"


@pytest.mark.parametrize("start", ["other", "imagenet"])
def test_an_experiment_that_starts_from_other_weights_is_refused(
    start: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["experiments"] = params_settings({"other": {}, "small": {"init_from": start}})["experiments"]
    expected = f"studies.s.of: 'small' starts from '{start}', and a study from random weights; choose another"
    assert expected in refusal(document, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "'small' trains on train+validation, which leaves no example to choose by; add space.training.data: [tra"),
        ({"search": RANDOM}, "'small' trains on train+validation"),
        ({"search": FOLDS}, ""),
        ({"space": {"training": {"data": ["train"]}}}, ""),
        ({"search": RANDOM, "space": {"training": {"data": ["train"], "epochs": {"low": 1, "high": 3}}}}, ""),
        ({"space": {"training": {"data": ["train", "train+validation"]}}}, "'small' trains on train+validation"),
    ],
    ids=["grid", "random", "folds", "changed", "changed in a sampled space", "changed in some points"],
)
def test_an_experiment_that_holds_nothing_out_needs_folds_or_another_part(
    changes: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["experiments"] = params_settings(WHOLE)["experiments"]
    document["studies"]["s"] |= changes
    if message:
        assert f"studies.s: {message}" in refusal(document, tmp_path)
    else:
        plan(document, tmp_path)


def test_a_data_set_without_validation_part_needs_folds(document: dict[str, Any], tmp_path: Path) -> None:
    document["datasets"]["digits"]["split"] = {"seed": 0}
    assert refusal(document, tmp_path) == (
        "studies.s: 'digits' has no validation part to choose by; give datasets.digits.split a validation, or search "
        "by folds"
    )
    document["studies"]["s"]["search"] = FOLDS
    assert plan(document, tmp_path).folds == 3


def test_a_contamination_has_no_space(document: dict[str, Any], tmp_path: Path) -> None:
    changes = {"search": {"name": "contamination", "shares": [0, 1]}, "space": {"training": {"epochs": [1, 2]}}}
    document["studies"]["s"] |= changes
    assert refusal(document, tmp_path) == (
        "studies.s.space: a contamination has the shares as its points; remove the space"
    )


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"space": {"training": {"epochs": [*range(1, 102)], "batch_size": [*range(1, 101)]}}}, "10,100"),
        ({"search": {"name": "random", "points": 10_000, "seeds": 2}}, "20,000"),
        ({"search": {"name": "folds", "folds": 100, "seeds": 51}}, "10,200"),
        ({"search": {"name": "contamination", "shares": [share / 10 for share in range(11)], "seeds": 1000},
          "space": {}}, "11,000"),
    ],
)  # fmt: skip
def test_more_than_ten_thousand_trainings_are_refused(
    changes: dict[str, Any], count: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["studies"]["s"] |= changes
    assert refusal(document, tmp_path) == (
        f"studies.s: these are {count} trainings; at most 10,000 are allowed in one study"
    )


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({"first": "s", "second": "s"}, "contrasts.c: first and second are the same study, 's'"),
        ({"first": "s", "second": "t"}, "contrasts.c.second: unknown study 't'; allowed: s"),
        ({"first": "s"}, "contrasts.c.second: this key is missing"),
    ],
)
def test_a_wrong_contrast_is_named_by_its_key(
    contrast: dict[str, Any], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["contrasts"] = {"c": contrast}
    assert message in refusal(document, tmp_path)


@pytest.mark.parametrize("name", ["study", "contrast"])
def test_a_data_set_may_not_bear_the_name_of_a_folder_of_studies(
    name: str, document: dict[str, Any], tmp_path: Path
) -> None:
    document["datasets"][name] = deepcopy(document["datasets"]["digits"])
    assert f"datasets.{name}: this name has a meaning of its own; choose another" in refusal(document, tmp_path)
