"""`reprolab prove`: trainings that are known but for their code are proved, entered, or named with what differs."""

from pathlib import Path
from typing import Any

import pytest
import torch

import reprolab.training.optimizers.sgd
from reprolab.cli import prove
from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.layout import SPLITS, training_folder
from reprolab.data.parts import load_training_data
from reprolab.data.split import make_split, save_split
from reprolab.models.build import resolve_experiment
from reprolab.training import identity
from reprolab.training.archive import folder_of, train_once, trainings
from reprolab.training.identity import Origin, origins_of
from tests.factories import make_params, make_source


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Of `small`, whose data are here, and `absent`, whose are not."""
    monkeypatch.chdir(tmp_path)
    (SPLITS / "digits").mkdir(parents=True)
    params = make_params({"small": {"training": {"seeds": [0, 1]}}, "absent": {"dataset": "mnist"}})
    save_split(make_split(make_source(), params.dataset("digits").split), make_source(), "digits", SPLITS / "digits")
    return params


def origins(params: Params) -> dict[int, Origin]:
    """Of `small`, with the parameters and the code as they are."""
    experiment = resolve_experiment(params.experiment("small"), "small")
    return origins_of(experiment, load_training_data(SPLITS / "digits", "train"), None)


def train(params: Params) -> list[str]:
    """Train `small`; the first digits of its identities come back."""
    experiment = resolve_experiment(params.experiment("small"), "small")
    data = load_training_data(SPLITS / "digits", "train")
    for origin in origins(params).values():
        train_once("small", experiment, data, None, origin, lambda epoch: None)
    return [origin.identity[:12] for origin in origins(params).values()]


def edit(patch: pytest.MonkeyPatch) -> None:
    """Let the code of the training loop have another meaning, for the identities."""
    source = identity._source
    patch.setattr(identity, "_source", lambda name: source(name) + "\nNEW = 1\n" * name.endswith(".loop"))


def proved(params: Params, capsys: pytest.CaptureFixture[str], *names: str) -> list[str]:
    capsys.readouterr()
    prove.run(params, list(names))
    return capsys.readouterr().out.splitlines()


def test_what_is_known_or_not_here_is_named(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    train(params)
    *known, absent = proved(params, capsys)
    assert known == ["small, seed 0: known", "small, seed 1: known"]
    assert absent.startswith("absent: data/splits/mnist") and "is missing" in absent


def test_other_code_that_gives_the_same_is_entered(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    former = train(params)
    edit(monkeypatch)
    assert not any(folder_of(origin.identity).is_done for origin in origins(params).values())
    lines = proved(params, capsys, "small")
    for seed, (line, name) in enumerate(zip(lines, former, strict=True)):
        assert line.startswith(f"small, seed {seed}: proved to be the training {name}, trained 20")
    assert proved(params, capsys, "small") == ["small, seed 0: known", "small, seed 1: known"]
    capsys.readouterr()
    train(params)
    assert capsys.readouterr().out.count(": known, proved to be ") == 2


def test_other_code_that_gives_something_else_is_not(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    former = train(params)
    edit(monkeypatch)

    def steeper(parameters: Any, lr: float, **options: Any) -> torch.optim.SGD:
        return torch.optim.SGD(parameters, lr * 1.0001, **options)

    monkeypatch.setattr(reprolab.training.optimizers.sgd, "SGD", steeper)
    before = len(trainings())
    capsys.readouterr()
    with pytest.raises(InputError, match=r"^not proved: small, seed 0, small, seed 1$"):
        prove.run(params, [])
    lines = capsys.readouterr().out.splitlines()[:2]
    assert lines == [
        f"small, seed {seed}: after step 1, network.1.weight differs, compared with the training {former[seed]}"
        for seed in (0, 1)
    ]
    assert len(trainings()) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"seeds": [0, 1], "epochs": 3}},
        {"training": {"seeds": [2, 3]}},
        {"model": {"name": "mlp", "hidden": [9]}},
    ],
    ids=["parameter", "seed", "model"],
)
def test_other_parameters_cannot_be_proved(
    changes: dict[str, Any], params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(params)
    edit(monkeypatch)
    others = make_params({"small": {"training": {"seeds": [0, 1]}, **changes}})
    assert proved(others, capsys) == [
        f"small, seed {seed}: no training with these parameters and data is known" for seed in origins(others)
    ]
    with pytest.raises(InputError, match=r"^not proved: small, seed"):
        prove.run(others, ["small"])


def test_other_data_cannot_be_proved(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(params)
    edit(monkeypatch)
    source = make_source(per_class=30)
    save_split(make_split(source, params.dataset("digits").split), source, "digits", SPLITS / "digits")
    lines = proved(params, capsys)[:2]
    assert lines == [f"small, seed {n}: no training with these parameters and data is known" for n in (0, 1)]


def test_without_a_proof_there_is_nothing_to_compare(
    params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(params)
    for path in training_folder("").glob("*/proof.json"):
        path.unlink()
    edit(monkeypatch)
    lines = proved(params, capsys)[:2]
    assert lines == [f"small, seed {n}: no training with these parameters and data is known" for n in (0, 1)]


def test_what_was_asked_for_and_is_not_here_is_an_error(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"^not proved: absent$"):
        prove.run(params, ["absent"])
    assert "absent: data/splits/mnist" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"unknown experiment 'smal' \(did you mean 'small'"):
        prove.run(params, ["smal"])
