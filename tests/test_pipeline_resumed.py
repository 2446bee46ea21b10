"""A training that was ended or killed goes on where it was, to the same weights and in the same run."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, epochs_of
from tests.tracked import in_mlflow


def test_an_ended_and_a_killed_training_go_on_to_the_same_weights_in_the_same_run(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    former = pipeline.set("experiments.digits-lenet5.training.epochs", 20)
    command = ["python", "stages/train.py", "digits-lenet5", "data/splits/digits", "models/random"]
    outputs = [str(tmp_path / "model"), str(tmp_path / "metrics")]
    status, _ = end_at("epoch 5:", signal.SIGTERM, [*command, *outputs], pipeline)
    assert status == 143
    assert not (tmp_path / "model").exists()
    assert statuses(pipeline) == ["KILLED"]

    # Nothing is written when it is killed, and the last checkpoint is that of the first time.
    status, killed = end_at("epoch 12:", signal.SIGKILL, [*command, *outputs], pipeline)
    assert status == -signal.SIGKILL
    assert 6 <= epochs_of(killed)[0] <= 9
    assert statuses(pipeline) == ["KILLED"]

    resumed = epochs_of(pipeline.run(*command, *outputs, PYTHONPATH="src").stdout)
    assert resumed == list(range(epochs_of(killed)[0], 21))
    assert statuses(pipeline) == ["FINISHED"]
    assert not list((pipeline.root / ".reprolab/trainings").glob("*/checkpoint"))

    # Anew, as a whole, without a store that can be written: neither the kill nor MLflow shapes the weights.
    others = [str(tmp_path / "other-model"), str(tmp_path / "other-metrics")]
    nowhere = "sqlite:////nowhere/mlflow.db"
    anew = {"REPROLAB_FRESH": "1", "REPROLAB_VIEW": "on"}
    whole = pipeline.run(*command, *others, check=True, PYTHONPATH="src", MLFLOW_TRACKING_URI=nowhere, **anew)
    pipeline.set("experiments.digits-lenet5.training.epochs", former)
    assert f"warning: MLflow lacks this run for now: MLflow at {nowhere}: " in whole.stdout
    assert "epoch 1:" in whole.stdout
    weights = "seed-0.safetensors"
    assert (tmp_path / "model" / weights).read_bytes() == (tmp_path / "other-model" / weights).read_bytes()


def end_at(text: str, sent: signal.Signals, command: list[str], pipeline: Pipeline) -> tuple[int, str]:
    """Start a stage's command and send it a signal when it prints this text; its status and output come back."""
    environment, printed = pipeline.environment(PYTHONPATH="src"), ""
    with subprocess.Popen(command, cwd=pipeline.root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            printed += line
            if text in line:
                process.send_signal(sent)
                return process.wait(), printed + process.stdout.read()
    pytest.fail(f"'{text}' was not printed")


def statuses(pipeline: Pipeline) -> list[str]:
    """How the training's runs ended."""
    pipeline.reprolab("sync")
    found = {name: run["status"] for name, run in in_mlflow(pipeline).items()}
    return [status for name, status in found.items() if name.startswith("digits/digits-lenet5 (epochs=20)")]
