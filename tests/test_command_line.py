"""The command `reprolab`: what each subcommand prints, refuses and leaves behind."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from reprolab.cli import prune
from reprolab.cli.main import main
from reprolab.core.config import Experiment, Params, load_params
from reprolab.core.files import read_yaml
from tests.factories import REPOSITORY, params_settings


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
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def checked(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main()
    printed = capsys.readouterr()
    return exit_.value.code, printed.out, printed.err


def test_the_repository_has_no_error(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = checked(capsys)
    assert (code, err) == (0, "")
    assert out.endswith("no error found\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
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
        (
            "params.yaml",
            "\n    dataset: iris\n",
            "\n    dataset: wine\n",
            "comparisons.iris: no experiment has `dataset: iris`",
        ),
        (
            "params.yaml",
            "  digits: {dataset: digits}",
            "  digits: {dataset: digits, experiments: [digits-mpl]}",
            "comparisons.digits.experiments: no experiment of digits 'digits-mpl' (did you mean 'digits-mlp'?)",
        ),
        (
            "params.yaml",
            "  digits: {dataset: digits}",
            "  digits: {dataset: digit}",
            "comparisons.digits.dataset: unknown data set 'digit' (did you mean 'digits'?)",
        ),
        (
            "params.yaml",
            "optimizer: {name: adam, lr: 0.006}",
            "optimizer: {name: adam, lr: 0}",
            "experiments.digits-mlp.training.optimizer.lr: found 0; it should be greater than 0",
        ),
        (
            "params.yaml",
            "search: {name: grid}",
            "search: {name: grid, points: 9}",
            "studies.mnist900-grid.search.points: ",
        ),
        ("data/baselines.csv", "relu,train_accuracy", "relu,size", "line 15: unknown metric of a training 'size'"),
        ("data/baselines.csv", "digits,digits-mlp", "digits,digit-mlp", "digit-mlp: params.yaml has no such"),
    ],
)
def test_an_error_is_reported(
    files: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, message: str
) -> None:
    replace(files / name, old, new)
    code, out, err = checked(capsys)
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and message in err


def test_results_of_a_removed_experiment_are_noted(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "metrics/digits/old").mkdir(parents=True)
    assert "note: metrics/digits/old is left over" in checked(capsys)[1]


@pytest.mark.parametrize("left", ["comparison/old.json", "costs/old-layers.csv", "study/old.csv", "contrast/old.md"])
def test_files_of_a_removed_entry_are_noted(files: Path, capsys: pytest.CaptureFixture[str], left: str) -> None:
    path = files / "metrics" / left
    path.parent.mkdir(parents=True)
    path.touch()
    assert f"note: metrics/{left} is left over" in checked(capsys)[1]


def test_prune_removes_leftovers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    experiments = {"small": {}, "large": {}, "third": {"dataset": "mnist"}}
    document = params_settings(experiments, {"digits": {"dataset": "digits"}, "width": {"dataset": "digits"}})
    study = {"dataset": "digits", "of": "small", "search": {"name": "seeds", "seeds": 2}}
    document["studies"] = {"seeds": study, "other": study}
    document["contrasts"] = {"both": {"first": "seeds", "second": "other"}}
    params = Params.model_validate(document)
    kept = [Path("data/splits/old/train.bin"), Path("models/.gitignore"), Path("metrics/costs/.gitignore")]
    kept += [Path("models/random/file"), Path("models/imagenet/file")]
    for name in ("digits", "width"):
        kept += [Path("metrics/comparison") / file for file in (f"{name}.json", f"{name}.md", f"{name}/accuracy.png")]
    kept += [Path("metrics/costs/small.json"), Path("metrics/costs/small-layers.csv")]
    kept += [
        Path("metrics") / experiment.dataset / name / "test.json" for name, experiment in params.experiments.items()
    ]
    kept += [Path(folder) / name / "file" for folder in ("models", "figures") for name in params.experiments]
    # third is an experiment, but not one of digits, and digits is none.
    old = [Path("metrics") / name for name in ("old", "digits/third", "mnist/old")]
    old += [Path("metrics/comparison") / name for name in ("old.json", "old.md", "old")]
    kept += [Path("metrics/study") / file for file in ("seeds.csv", "seeds.json", "seeds.md", "seeds/repeats.png")]
    old += [Path("metrics/study") / name for name in ("both.csv", "old.csv", "old.json", "old.md", "both", "old")]
    kept += [Path("metrics/contrast") / file for file in ("both.json", "both.md", "both/difference.png")]
    old += [Path("metrics/contrast") / name for name in ("old.json", "old.md", "old")]
    old += [Path("metrics/costs") / name for name in ("digits.json", "old-layers.csv", "old.json", "small-layers.json")]
    kept += [Path("figures/data") / name / "file" for name in params.datasets]
    old += [Path("models/old"), Path("figures/old"), Path("figures/random"), Path("figures/data/old")]
    for path in [*kept, *(path if path.suffix else path / "file" for path in old)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prune.run(params)
    assert capsys.readouterr().out == "".join(f"removed {path}\n" for path in old) + f"{len(old)} removed\n"
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)
    prune.run(params)
    assert capsys.readouterr().out == "nothing to remove\n"


def test_show_prints_an_experiment_ready_to_paste(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reprolab", "show", "lenet5-classic"])
    code, shown, _ = checked(capsys)
    assert code == 0
    pasted = files / "pasted.yaml"
    pasted.write_text(shown)
    content = read_yaml(pasted)["lenet5-classic"]
    assert content["model"] == {"name": "lenet5", "activation": "tanh", "pooling": "average", "padding": 0}
    sgd = {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": False}
    assert content["training"]["optimizer"] == sgd
    assert content["training"]["loss"] == {"name": "cross_entropy", "label_smoothing": 0.0}
    assert content["freeze"] == "none"
    text = (files / "params.yaml").read_text()
    start = text.index("  lenet5-classic:")
    end = text.index("  lenet5-classic-validated:")
    (files / "params.yaml").write_text(text[:start] + shown + text[end:])
    assert load_params().experiment("lenet5-classic") == Experiment.model_validate(content)


def test_show_refuses_an_unknown_experiment(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reprolab", "show", "lenet5-clasic"])
    code, out, err = checked(capsys)
    assert (code, out) == (1, "")
    assert "unknown experiment 'lenet5-clasic' (did you mean 'lenet5-classic'?)" in err


def test_results_writes_the_pages(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reprolab", "results"])
    (files / "README.md").write_text("<!-- results: begin -->\nold\n<!-- results: end -->\n")
    assert checked(capsys) == (0, "wrote README.md\n", "")
    assert "old" not in (files / "README.md").read_text()
