"""The real DVC runs a stage for a changed byte, and the stage takes over what is known by meaning."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline

MLP = "digits-mlp"
TRAINED = {"train@digits-mlp", "train@digits-lenet5"}
FILES = [f"metrics/digits/{MLP}/train.json", f"metrics/digits/{MLP}/curves.csv", f"models/{MLP}/seed-0.safetensors"]
FILES += [f"models/{MLP}/model.json", f"models/{MLP}/steps.csv"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Both experiments on digits trained for two epochs."""
    pipeline = Pipeline(tmp_path_factory.mktemp("known"))
    pipeline.run("dvc", "repro", *TRAINED)
    yield pipeline


def contents(pipeline: Pipeline) -> list[bytes]:
    return [(pipeline.root / name).read_bytes() for name in FILES]


def trained_epochs(output: str) -> set[tuple[str, str]]:
    """Names and seeds of the trainings of which an epoch was trained."""
    return set(re.findall(r"^([\w-]+), seed (\d+), epoch \d+:", output, re.MULTILINE))


METER = "src/reprolab/training/meter.py"
ADAM, LENET = "src/reprolab/training/optimizers/adam.py", "src/reprolab/architectures/lenet5.py"
CONFIG = "src/reprolab/core/config.py"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (METER, ": lower training.optimizer.lr", "; lower training.optimizer.lr"),
        (CONFIG, "    flip: bool = False\n", "    flip: bool = False\n    mirror: bool | None = None\n"),
    ],
    ids=["reworded error", "new optional key"],
)
def test_an_edit_without_a_meaning_trains_nothing_and_ends_with_the_same_bytes(
    pipeline: Pipeline, path: str, old: str, new: str
) -> None:
    before = contents(pipeline)
    with pipeline.edited(path, old, new):
        output = pipeline.run("dvc", "repro", *TRAINED).stdout
    assert set(re.findall(r"Running stage '(train@.+)'", output)) == TRAINED
    assert trained_epochs(output) == set()
    assert output.count("seed 0: known, trained 20") == 2
    assert contents(pipeline) == before


@pytest.mark.parametrize(
    ("path", "old", "new", "trained"),
    [
        (LENET, '] = "average"', '] = "max"', {("digits-lenet5", "0")}),  # it names its pooling, but the code differs
        (ADAM, "weight_decay: WeightDecay = 0.0", "weight_decay: WeightDecay = 0.1",
         {("digits-mlp", "0"), ("digits-lenet5", "0")}),
        (CONFIG, "    snapshots: bool = False\n", "    snapshots: bool = True\n",
         {("digits-mlp", "0"), ("digits-lenet5", "0")}),
    ],
    ids=["architecture", "optimizer", "core"],
)  # fmt: skip
def test_a_changed_default_trains_what_it_shapes(
    pipeline: Pipeline, path: str, old: str, new: str, trained: set[tuple[str, str]]
) -> None:
    with pipeline.edited(path, old, new):
        output = pipeline.run("dvc", "repro", *TRAINED).stdout
    assert trained_epochs(output) == trained


def test_a_new_optimizer_trains_nothing(pipeline: Pipeline) -> None:
    adam = pipeline.root / "src/reprolab/training/optimizers/adam.py"
    (adam.parent / "adam_again.py").write_text(adam.read_text())
    output = pipeline.run("dvc", "repro", *TRAINED).stdout
    (adam.parent / "adam_again.py").unlink()
    assert trained_epochs(output) == set()


def proved(pipeline: Pipeline) -> str:
    return pipeline.run("reprolab", "prove", "digits-lenet5", check=False, PYTHONPATH="src").stdout


def test_code_that_is_proved_to_give_the_same_trains_nothing(pipeline: Pipeline) -> None:
    pipeline.run("dvc", "repro", *TRAINED)
    weights = pipeline.root / "models/digits-lenet5/seed-0.safetensors"
    record = pipeline.root / "metrics/digits/digits-lenet5/train.json"
    (before,), expected = json.loads(record.read_text())["identities"], weights.read_bytes()
    with pipeline.edited(LENET, "channels, *sides = shape", "channels, *sides = tuple(shape)"):
        printed = proved(pipeline)
        output = pipeline.run("dvc", "repro", "train@digits-lenet5").stdout
    # With the same parameters there may be several, one for each meaning that the code had.
    known = re.fullmatch(r"digits-lenet5, seed 0: proved to be the training (\w{12}), trained 20.*\n", printed)
    assert known, printed
    assert f"digits-lenet5, seed 0: known, proved to be {known[1]} of commit " in output
    assert trained_epochs(output) == set()
    assert json.loads(record.read_text())["identities"] != [before]
    assert weights.read_bytes() == expected


def test_code_that_gives_something_else_is_not_proved(pipeline: Pipeline) -> None:
    with pipeline.edited(ADAM, "Adam(parameters, lr,", "Adam(parameters, lr * 1.001,"):
        printed = proved(pipeline)
    assert "digits-lenet5, seed 0: after step 1, network.0.weight differs, compared with the training " in printed
    assert "error: not proved: digits-lenet5, seed 0" in printed


def test_results_that_dvc_restored_are_entered(pipeline: Pipeline) -> None:
    pipeline.run("dvc", "repro", *TRAINED)
    before, trainings = contents(pipeline), pipeline.root / ".reprolab/trainings"
    trainings.rename(trainings.with_name("aside"))
    with pipeline.edited("metrics/digits/digits-lenet5/curves.csv", "0,1,train,", "0,1,train,1"):
        entered = pipeline.run("reprolab", "remember").stdout
    assert entered == f"{MLP}, seed 0: entered among the known trainings\n"  # the other is not as DVC has it
    assert pipeline.run("reprolab", "remember", MLP).stdout == ""
    output = pipeline.run("dvc", "repro", "--force", "--single-item", f"train@{MLP}").stdout
    assert trained_epochs(output) == set()
    assert f"{MLP}, seed 0: known, entered from its result's files 20" in output
    assert contents(pipeline) == before
    shutil.rmtree(trainings)
    trainings.with_name("aside").rename(trainings)


def test_an_added_seed_trains_that_seed(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{MLP}.training.seeds", [0, 1])
    output = pipeline.run("dvc", "repro", f"train@{MLP}").stdout
    pipeline.set(f"experiments.{MLP}.training.seeds", former)
    assert trained_epochs(output) == {(MLP, "1")}
    assert f"{MLP}, seed 0: known, trained 20" in output


def test_a_training_finished_before_its_outputs_were_written_is_known(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run("dvc", "repro", f"train@{MLP}")
    command = ["python", "stages/train.py", MLP, "data/splits/digits", "models/random"]
    known = pipeline.run(*command, str(tmp_path / "model"), str(tmp_path / "metrics"), PYTHONPATH="src").stdout
    assert trained_epochs(known) == set()
    record = json.loads((tmp_path / "metrics/train.json").read_text())
    assert record == json.loads((pipeline.root / f"metrics/digits/{MLP}/train.json").read_text())
    assert (pipeline.root / ".reprolab/trainings" / record["identities"][0] / "done.json").exists()


def test_an_experiment_aside_takes_over_what_the_workspace_knows(pipeline: Pipeline) -> None:
    pipeline.commit("results")
    setting = f"experiments.{MLP}.training.seeds=[0,2]"
    output = pipeline.run("dvc", "exp", "run", "--temp", "-S", setting, f"train@{MLP}").stdout
    assert trained_epochs(output) == {(MLP, "2")}
    assert f"{MLP}, seed 0: known, trained 20" in output
