"""The real DVC runs a stage for a changed byte, and the stage takes over what is known by meaning."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def edited(pipeline: Pipeline, path: str, old: str, new: str) -> Iterator[None]:
    file = pipeline.root / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    yield
    file.write_text(text)


def contents(pipeline: Pipeline) -> list[bytes]:
    return [(pipeline.root / name).read_bytes() for name in FILES]


def trained_epochs(output: str) -> set[tuple[str, str]]:
    """Names and seeds of the trainings of which an epoch was trained."""
    return set(re.findall(r"^([\w-]+), seed (\d+), epoch \d+:", output, re.MULTILINE))


LOOP, METER = "src/reprolab/training/loop.py", "src/reprolab/training/meter.py"
ADAM, LENET = "src/reprolab/training/optimizers/adam.py", "src/reprolab/architectures/lenet5.py"
CONFIG = "src/reprolab/core/config.py"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (LOOP, "    return state.result(device)", "    # a comment\n    return state.result(device)"),
        (METER, ": lower training.optimizer.lr", "; lower training.optimizer.lr"),
        (CONFIG, "    flip: bool = False\n", "    flip: bool = False\n    mirror: bool | None = None\n"),
    ],
    ids=["comment", "reworded error", "new optional key"],
)
def test_an_edit_without_a_meaning_trains_nothing_and_ends_with_the_same_bytes(
    pipeline: Pipeline, path: str, old: str, new: str
) -> None:
    before = contents(pipeline)
    with edited(pipeline, path, old, new):
        output = pipeline.run("dvc", "repro", *TRAINED).stdout
    assert set(re.findall(r"Running stage '(train@.+)'", output)) == TRAINED
    assert trained_epochs(output) == set()
    assert output.count("seed 0: known, trained 20") == 2
    assert contents(pipeline) == before


@pytest.mark.parametrize(
    ("path", "old", "new", "trained"),
    [
        (LENET, '] = "average"', '] = "max"', {("digits-lenet5", "0")}),  # it names its pooling, but the code differs
        (ADAM, "weight_decay: Annotated[float, Field(ge=0)] = 0.0", "weight_decay: Annotated[float, Field(ge=0)] = 0.1",
         {("digits-mlp", "0"), ("digits-lenet5", "0")}),
        (CONFIG, "    snapshots: bool = False\n", "    snapshots: bool = True\n",
         {("digits-mlp", "0"), ("digits-lenet5", "0")}),
    ],
    ids=["architecture", "optimizer", "core"],
)  # fmt: skip
def test_a_changed_default_trains_what_it_shapes(
    pipeline: Pipeline, path: str, old: str, new: str, trained: set[tuple[str, str]]
) -> None:
    with edited(pipeline, path, old, new):
        output = pipeline.run("dvc", "repro", *TRAINED).stdout
    assert trained_epochs(output) == trained


def test_a_new_optimizer_trains_nothing(pipeline: Pipeline) -> None:
    adam = pipeline.root / "src/reprolab/training/optimizers/adam.py"
    (adam.parent / "adam_again.py").write_text(adam.read_text())
    output = pipeline.run("dvc", "repro", *TRAINED).stdout
    (adam.parent / "adam_again.py").unlink()
    assert trained_epochs(output) == set()


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
