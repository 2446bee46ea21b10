"""`reprolab adopt`: the best point of a study becomes an experiment of params.yaml."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.cli.format import formatted
from reprolab.cli.main import main
from reprolab.core.config import Experiment, load_params
from reprolab.core.files import read_yaml
from reprolab.core.layout import PARAMS, study_file
from reprolab.studies.record import save_rows
from tests.factories import make_experiment
from tests.studied import make_failed, make_trial

TEXT = """\
datasets:
  digits:
    source: {name: digits}
    split: {validation: 0.1, seed: 0}
comparisons:
  digits: {dataset: digits}               # all of them
studies:
  grid:
    dataset: digits
    of: small
    space:
      model: {hidden: [[4], [8, 8]]}
      training:
        epochs:
        - 2
        - 4
        optimizer: {lr: [0.1, 0.001]}
    search: {name: grid}
  seeds:
    dataset: digits
    of: small
    search: {name: seeds, seeds: 3}
contrasts: {}
experiments:

  # the first

  small:                                  # and only one
    dataset: digits
    model: {name: mlp, hidden: [8]}
    init_from: random
    input: {}
    training:
      epochs: 2
      batch_size: 16
      optimizer: {name: sgd, lr: 0.1}
      seeds:
      - 0
      - 1
"""
TEXT_END = "optimizer: {name: sgd, lr: 0.1}"  # once it is formatted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the working directory: parameters as `reprolab format` writes them, and the results of two studies."""
    monkeypatch.chdir(tmp_path)
    text = formatted(TEXT)
    PARAMS.write_text(text, encoding="utf-8")
    best = {"hidden": "[8, 8]", "epochs": "4", "lr": "0.001"}
    rows = [
        make_trial(0, score=0.8, settings={"hidden": "[4]", "epochs": "2", "lr": "0.1"}),
        make_trial(1, score=0.9, settings=best),
        make_failed(2, settings=best),
    ]
    save_rows(study_file("grid"), rows)
    save_rows(study_file("seeds"), [make_trial(0, seed) for seed in range(3)])
    return tmp_path


def adopt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str, str]:
    monkeypatch.setattr("sys.argv", ["reprolab", "adopt", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


@pytest.mark.usefixtures("folder")
def test_the_best_point_is_entered_behind_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    former = PARAMS.read_text(encoding="utf-8")
    assert adopt(monkeypatch, capsys, "grid", "best") == (
        0, "params.yaml: experiments.best; `dvc repro evaluate@best` trains and scores it\n", "",
    )  # fmt: skip
    text = PARAMS.read_text(encoding="utf-8")
    assert text.startswith(former.rstrip("\n")) and formatted(text) == text
    training = {"epochs": 4, "optimizer": {"name": "sgd", "lr": 0.001}, "seeds": [0, 1]}
    expected = make_experiment(training, model={"name": "mlp", "hidden": [8, 8]})
    assert load_params().experiment("best") == expected
    # With what was given alone, as if it had been typed.
    assert read_yaml(PARAMS)["experiments"]["best"] == expected.model_dump(
        mode="json", exclude_unset=True, exclude_none=True
    )
    assert list(load_params().experiments) == ["small", "best"]


@pytest.mark.usefixtures("folder")
def test_a_study_without_a_space_gives_its_own_experiment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adopt(monkeypatch, capsys, "seeds", "again")[0] == 0
    params = load_params()
    assert params.experiment("again") == params.experiment("small") == make_experiment({"seeds": [0, 1]})


@pytest.mark.usefixtures("folder")
def test_two_adopted_points_stand_beside_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for study, name in (("grid", "one"), ("seeds", "two")):
        assert adopt(monkeypatch, capsys, study, name)[0] == 0
    assert list(load_params().experiments) == ["small", "one", "two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grid", "small"], "params.yaml has an experiment 'small' already; choose another name"),
        (["grid", "a b"], "the name 'a b': String should match pattern"),
        (["grid", "x" * 101], "String should have at most 100 characters"),
        (["grid", "random"], "the name 'random' has a meaning of its own; choose another"),
        (["grid", "imagenet"], "the name 'imagenet' has a meaning of its own; choose another"),
        (["grid", "data"], "the name 'data' has a meaning of its own; choose another"),
        (["gird", "best"], "params.yaml: unknown study 'gird' (did you mean 'grid'?); allowed: grid, seeds"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = PARAMS.read_bytes()
    code, out, err = adopt(monkeypatch, capsys, *arguments)
    assert (code, out) == (1, "") and message in err
    assert PARAMS.read_bytes() == before


@pytest.mark.usefixtures("folder")
def test_a_table_of_another_space_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PARAMS.read_text(encoding="utf-8").replace("lr: [0.1, 0.001]", "lr: [0.1, 0.01]")
    PARAMS.write_text(text, encoding="utf-8")
    code, _, err = adopt(monkeypatch, capsys, "grid", "best")
    assert code == 1 and "the table of trials is of another space than params.yaml: run the" in err
    assert PARAMS.read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("folder")
def test_experiments_are_the_last_section(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    section = "contrasts: {}\n"
    text = PARAMS.read_text(encoding="utf-8").replace(section, "") + section
    PARAMS.write_text(text, encoding="utf-8")
    assert "params.yaml: `experiments` is not its last section" in adopt(monkeypatch, capsys, "grid", "best")[2]
    assert PARAMS.read_text(encoding="utf-8") == text


def test_a_study_that_has_not_run_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study_file("grid").unlink()
    assert "metrics/study/grid.csv is missing: run `dvc repro`" in adopt(monkeypatch, capsys, "grid", "best")[2]


@pytest.mark.usefixtures("folder")
def test_what_is_entered_can_be_adopted_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adopt(monkeypatch, capsys, "grid", "best")
    text = PARAMS.read_text(encoding="utf-8").replace("of: small", "of: best")
    PARAMS.write_text(text, encoding="utf-8")
    assert adopt(monkeypatch, capsys, "seeds", "third")[0] == 0
    found = load_params()
    assert found.experiment("third") == found.experiment("best")
    assert isinstance(found.experiment("third"), Experiment)
