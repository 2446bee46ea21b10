"""The real DVC runs a stage for a changed byte, and the stage takes over what is known by meaning."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.pipeline import TRAININGS, Pipeline

MLP = "digits-mlp"
FILES = [f"metrics/digits/{MLP}/train.json", f"metrics/digits/{MLP}/curves.csv", f"models/{MLP}/seed-0.safetensors"]
FILES += [f"models/{MLP}/model.json", f"models/{MLP}/steps.csv"]


def contents(pipeline: Pipeline) -> list[bytes]:
    return [(pipeline.root / name).read_bytes() for name in FILES]


def trained_epochs(output: str) -> set[tuple[str, str]]:
    """Names and seeds of the trainings of which an epoch was trained."""
    return set(re.findall(r"^([\w-]+), seed (\d+), epoch \d+:", output, re.MULTILINE))


ADAM, LENET = "src/reprolab/training/optimizers/adam.py", "src/reprolab/architectures/lenet5.py"
CONFIG = "src/reprolab/core/config.py"


def test_edits_of_the_training_s_code_without_a_meaning_train_and_evaluate_nothing(pipeline: Pipeline) -> None:
    """A reworded error, a comment, and another optimizer, which no experiment names."""
    before = contents(pipeline)
    adam = pipeline.root / ADAM
    again = adam.with_name("adam_again.py")
    loop, meter = "src/reprolab/training/loop.py", "src/reprolab/training/meter.py"
    with (
        pipeline.edited(meter, ": lower training.optimizer.lr", "; lower training.optimizer.lr"),
        pipeline.edited(loop, "    return state.result(device)", "    # a comment\n    return state.result(device)"),
    ):
        again.write_text(adam.read_text())
        output = pipeline.run("dvc", "repro", "compare@digits").stdout
        again.unlink()
    assert set(re.findall(r"Running stage '(.+)'", output)) == TRAININGS
    assert trained_epochs(output) == set()
    assert output.count("seed 0: known, trained 20") == 2
    assert contents(pipeline) == before


def test_a_new_optional_key_trains_nothing_and_ends_with_the_same_bytes(pipeline: Pipeline) -> None:
    before = contents(pipeline)
    key = "    flip: bool = False\n"
    with pipeline.edited(CONFIG, key, f"{key}    mirror: bool | None = None\n"):
        output = pipeline.run("dvc", "repro", *TRAININGS).stdout
    assert set(re.findall(r"Running stage '(.+)'", output)) == TRAININGS | {"split@digits"}
    assert trained_epochs(output) == set()
    assert output.count("seed 0: known, trained 20") == 2
    assert contents(pipeline) == before


@pytest.mark.parametrize(
    ("experiment", "path", "old", "new"),
    [
        ("digits-mlp", ADAM, "weight_decay: WeightDecay = 0.0", "weight_decay: WeightDecay = 0.1"),
        ("digits-lenet5", CONFIG, "    snapshots: bool = False\n", "    snapshots: bool = True\n"),
    ],
    ids=["optimizer", "core"],
)
def test_a_changed_default_trains_what_it_shapes(
    pipeline: Pipeline, experiment: str, path: str, old: str, new: str
) -> None:
    with pipeline.edited(path, old, new):
        output = pipeline.run("dvc", "repro", f"train@{experiment}").stdout
    assert trained_epochs(output) == {(experiment, "0")}


def proved(pipeline: Pipeline) -> str:
    return pipeline.run("reprolab", "prove", "digits-lenet5", check=False, PYTHONPATH="src").stdout


def test_code_that_is_proved_to_give_the_same_trains_nothing(pipeline: Pipeline) -> None:
    pipeline.run("dvc", "repro", *TRAININGS)
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
    pipeline.run("dvc", "repro", *TRAININGS)
    before, trainings = contents(pipeline), pipeline.root / ".reprolab/trainings"
    trainings.rename(trainings.with_name("aside"))
    with pipeline.edited("metrics/digits/digits-lenet5/curves.csv", "0,1,train,", "0,1,train,1"):
        entered = pipeline.reprolab("remember").stdout
    assert entered == f"{MLP}, seed 0: entered among the known trainings\n"  # the other is not as DVC has it
    assert pipeline.reprolab("remember", MLP).stdout == ""
    output = pipeline.run("dvc", "repro", "--force", "--single-item", f"train@{MLP}").stdout
    assert trained_epochs(output) == set()
    assert f"{MLP}, seed 0: known, entered from its result's files 20" in output
    assert contents(pipeline) == before
    shutil.rmtree(trainings)
    trainings.with_name("aside").rename(trainings)


def test_a_training_finished_before_its_outputs_were_written_is_known(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run("dvc", "repro", f"train@{MLP}")
    outputs = [str(tmp_path / "model"), str(tmp_path / "metrics")]
    known = pipeline.stage("train", MLP, "data/splits/digits", "models/random", *outputs).stdout
    assert trained_epochs(known) == set()
    record = json.loads((tmp_path / "metrics/train.json").read_text())
    assert record == json.loads((pipeline.root / f"metrics/digits/{MLP}/train.json").read_text())
    assert (pipeline.root / ".reprolab/trainings" / record["identities"][0] / "done.json").exists()


def test_an_experiment_aside_takes_over_what_the_workspace_knows_and_trains_its_added_seed(pipeline: Pipeline) -> None:
    setting = f"experiments.{MLP}.training.seeds=[0,2]"
    output = pipeline.run("dvc", "exp", "run", "--temp", "-S", setting, f"train@{MLP}").stdout
    assert trained_epochs(output) == {(MLP, "2")}
    assert f"{MLP}, seed 0: known, trained 20" in output
