"""params.yaml is written as DVC writes it, so that an edit by `dvc exp run -S` is one line."""

import shutil
from difflib import ndiff
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from reprolab.cli.format import formatted
from reprolab.cli.main import main
from reprolab.core.files import read_yaml, write_text
from tests.factories import REPOSITORY

BY_HAND = """\
experiments:

  # small ones

  one:                 # the first
    model: {name: mlp, hidden: [8, 8]}
    input: {size: 224, mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616]}    # wide
    training:
      epochs: 2
      optimizer: {name: sgd, lr: 5.0e-4}
      seeds: [0, 1]    # two

  # larger ones

  two:
    input:
      mean: [0.5]      # of each channel
      std: [0.5]
    training:
      schedule: {name: constant}
      seeds:
        - 0
      checkpoints: [1]

comparisons:
  all:
    experiments: [one]
    curves: true
"""
AS_DVC_WRITES = """\
experiments:

  # small ones

  one:                 # the first
    model: {name: mlp, hidden: [8, 8]}
    input:    # wide
      mean:
      - 0.4914
      - 0.4822
      - 0.4465
      std:
      - 0.2470
      - 0.2435
      - 0.2616
      size: 224
    training:
      epochs: 2
      seeds:           # two
      - 0
      - 1
      optimizer: {name: sgd, lr: 5.0e-4}

  # larger ones

  two:
    input:
      mean:            # of each channel
      - 0.5
      std:
      - 0.5
    training:
      seeds:
      - 0
      checkpoints:
      - 1
      schedule: {name: constant}

comparisons:
  all:
    experiments:
    - one
    curves: true
"""


def test_lists_move_up_wide_lines_end_and_what_stands_behind_them_stays(tmp_path: Path) -> None:
    assert formatted(BY_HAND) == formatted(AS_DVC_WRITES) == AS_DVC_WRITES
    for name, text in (("former.yaml", BY_HAND), ("later.yaml", AS_DVC_WRITES)):
        write_text(tmp_path / name, text)
    assert read_yaml(tmp_path / "former.yaml") == read_yaml(tmp_path / "later.yaml")


def test_the_repository_s_parameters_are_as_dvc_writes_them() -> None:
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    assert formatted(text) == text, "run `make format`"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experiments.digits-mlp.training.epochs", "31"),
        ("experiments.digits-mlp.training.optimizer.lr", "0.007"),
        ("experiments.lenet5-classic.training.schedule.factor", "0.4"),
        ("experiments.lenet5-relu.model.pooling", "average"),
        ("datasets.digits.split.seed", "7"),
    ],
)
def test_an_edit_by_dvc_is_one_line(key: str, value: str, tmp_path: Path) -> None:
    path = Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path))
    former = path.read_text(encoding="utf-8").splitlines()
    apply_overrides(path, [f"{key}={value}"])
    changed = [line for line in ndiff(former, path.read_text(encoding="utf-8").splitlines()) if line[0] in "+-"]
    assert [line[0] for line in changed] == ["-", "+"] and value in changed[1]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the repository's, for the command `reprolab format`."""
    monkeypatch.setattr("sys.argv", ["reprolab", "format"])
    return Path(shutil.copy(REPOSITORY / "params.yaml", tmp_path))


def edit(path: Path, old: str, new: str) -> str:
    text = path.read_text(encoding="utf-8")
    assert old in text
    write_text(path, text.replace(old, new, 1))
    return path.read_text(encoding="utf-8")


def test_the_command_writes_the_file_once(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(params, "{validation: 0.1, seed: 0}", "{validation: 0.1,  seed: 0}")
    for printed in ("wrote params.yaml\n", ""):
        with pytest.raises(SystemExit):
            main()
        assert capsys.readouterr().out == printed


def test_the_command_loses_no_comment(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    former = edit(params, "input: {size: 8}", "input:\n      mean: [0.5]\n      std: [0.5]\n    # mine")
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err.startswith("error: params.yaml: DVC loses comments behind a list, as '# mine'; put")
    assert params.read_text(encoding="utf-8") == former
