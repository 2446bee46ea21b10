"""`reprolab check` tells what can be wrong before a stage runs; `reprolab prune` removes what is left over."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reprolab.__main__ import main, prune
from tests.conftest import REPOSITORY
from tests.test_pages import tiny_params


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's parameters and baselines, as the working directory."""
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/baselines.csv"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["reprolab", "check"])
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def checked(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    return exit_.value.code, told.out, told.err


def test_the_repository_has_no_mistake(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = checked(capsys)
    assert (code, err) == (0, "")
    assert out.endswith("no mistake found\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("params.yaml", "name: mlp", "name: mpl", "experiments.digits-mlp.model.name: unknown name 'mpl'"),
        ("params.yaml", "hidden: [64]", "width: 64", "experiments.digits-mlp.model.width: unknown option of 'mlp'"),
        (
            "params.yaml",
            "model: {name: lenet5, activation: relu, pooling: max}\n    init_from: lenet5-relu",
            "model: {name: nin}\n    init_from: imagenet",
            "experiments.digits100-finetuned.model.name: 'nin' has no ImageNet weights; allowed: alexnet,",
        ),
        ("params.yaml", "{name: digits}", "{name: digits, size: 8}", "datasets.digits.source.size: unknown option"),
        ("params.yaml", "dataset: cifar10", "dataset: mnist", "datasets.cifar10: no experiment has `dataset: cifar10`"),
        (
            "params.yaml",
            "studies:",
            "studies:\n  none: {title: t, dataset: digits, experiments: [digits-mpl]}",
            "studies.none.experiments: no experiment of digits 'digits-mpl' (did you mean 'digits-mlp'?)",
        ),
        (
            "params.yaml",
            "studies:",
            "studies:\n  none: {title: t, dataset: digit, experiments: [digits-mlp]}",
            "studies.none.dataset: unknown data set 'digit' (did you mean 'digits'?)",
        ),
        ("data/baselines.csv", "mlp-512,parameters", "mlp-512,size", "line 17: unknown metric 'size'"),
        ("data/baselines.csv", "digits,digits-mlp", "digits,digit-mlp", "digit-mlp: params.yaml has no such"),
    ],
)
def test_a_mistake_is_told(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, told: str
) -> None:
    replace(files / name, old, new)
    code, out, err = checked(capsys)
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and told in err


def test_results_of_a_removed_experiment_are_noted(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "metrics/digits/old").mkdir(parents=True)
    assert "note: metrics/digits/old is left over" in checked(capsys)[1]


@pytest.mark.parametrize("left", ["studies/old.json", "costs/old-layers.csv", "comparison/old.md"])
def test_files_of_a_removed_entry_are_noted(files: Path, capsys: pytest.CaptureFixture[str], left: str) -> None:
    path = files / "metrics" / left
    path.parent.mkdir(parents=True)
    path.touch()
    assert f"note: metrics/{left} is left over" in checked(capsys)[1]


def test_prune_removes_leftovers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    params = tiny_params()
    kept = [Path("data/splits/old/train.bin"), Path("models/.gitignore"), Path("metrics/costs/.gitignore")]
    kept += [Path("models/random/file"), Path("models/imagenet/file")]
    kept += [Path("metrics/comparison") / f"digits.{ending}" for ending in ("json", "md", "png")]
    kept += [Path("metrics/studies") / f"width.{ending}" for ending in ("json", "md", "png")]
    kept += [Path("metrics/costs/small.json"), Path("metrics/costs/small-layers.csv")]
    kept += [
        Path("metrics") / experiment.dataset / name / "test.json" for name, experiment in params.experiments.items()
    ]
    kept += [Path(folder) / name / "file" for folder in ("models", "figures") for name in params.experiments]
    # third is an experiment, but not one of digits; "small-layers" and "digits" are none.
    files = ["comparison/old.json", "costs/digits.json", "costs/old-layers.csv", "costs/old.json"]
    files += ["costs/small-layers.json", "studies/old.md"]
    folders = [Path("metrics/old")]
    rest = [Path("models/old"), Path("figures/old"), Path("figures/random"), Path("metrics/digits/third")]
    rest += [Path("metrics/mnist/old"), Path(".reprolab/checkpoints")]
    for path in [*kept, *(Path("metrics") / name for name in files), *(folder / "file" for folder in folders + rest)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    old = folders + [Path("metrics") / name for name in files] + rest
    prune(params)
    assert capsys.readouterr().out == "".join(f"removed {path}\n" for path in old) + f"{len(old)} removed\n"
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)
    prune(params)
    assert capsys.readouterr().out == "nothing to remove\n"


def test_results_writes_the_pages(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reprolab", "results"])
    (files / "README.md").write_text("<!-- results: begin -->\nold\n<!-- results: end -->\n")
    assert checked(capsys) == (0, "wrote README.md\n", "")
    assert "old" not in (files / "README.md").read_text()
