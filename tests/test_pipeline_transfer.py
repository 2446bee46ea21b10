"""Another experiment's weights are a dependency: the real DVC trains both, and again when either changes."""

from collections.abc import Iterator

import pytest

from tests.pipeline import Pipeline

DONOR, HEIR = "digits100-scratch", "digits100-finetuned"
TRAINED = {f"train@{DONOR}", f"train@{HEIR}"}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Both experiments trained for two epochs on digits, which need no download."""
    pipeline = Pipeline(tmp_path_factory.mktemp("transfer"))
    for name in (DONOR, HEIR):
        pipeline.set(f"experiments.{name}.training.epochs", 2)
        pipeline.set(f"experiments.{name}.training.seeds", [0])
    pipeline.set(f"experiments.{HEIR}.init_from", DONOR)
    assert pipeline.repro(f"train@{HEIR}") == TRAINED | {"download@digits100", "split@digits100"}
    yield pipeline


def test_an_edit_of_the_heir_leaves_the_donor_alone(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{HEIR}.freeze", "all-but-head")
    assert pipeline.repro(f"train@{HEIR}") == {f"train@{HEIR}"}
    pipeline.set(f"experiments.{HEIR}.freeze", former)
    assert pipeline.repro(f"train@{HEIR}") == set()


def test_an_edit_of_the_donor_trains_both_again(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{DONOR}.training.optimizer.lr", 0.002)
    assert pipeline.repro(f"train@{HEIR}") == TRAINED
    pipeline.set(f"experiments.{DONOR}.training.optimizer.lr", former)
    assert pipeline.repro(f"train@{HEIR}") == set()


def test_weights_that_cannot_be_had_stop_their_own_experiment_alone(pipeline: Pipeline) -> None:
    pipeline.set(f"experiments.{HEIR}.init_from", "imagenet")
    pipeline.set(f"experiments.{DONOR}.training.optimizer.lr", 0.003)
    found = pipeline.run("dvc", "repro", "--keep-going", f"train@{HEIR}", f"train@{DONOR}", check=False)
    assert found.returncode != 0 and "Traceback" not in found.stdout
    assert "'lenet5' has no ImageNet weights; allowed: alexnet, resnet" in found.stdout
    assert not (pipeline.root / "models" / HEIR).exists()
    assert (pipeline.root / "models" / DONOR / "model.json").exists()
    status = pipeline.run("dvc", "status", f"train@{DONOR}").stdout
    assert "up to date" in status


def test_a_study_names_what_has_not_run(pipeline: Pipeline) -> None:
    pipeline.run("dvc", "repro", "--single-item", "study@pretraining")
    assert "not run" in (pipeline.root / "metrics/studies/pretraining.md").read_text()


def test_costs_of_an_architecture_are_measured_without_training(pipeline: Pipeline) -> None:
    told = pipeline.run("reprolab", "measure", "digits100-scratch", "digits100-finetuned").stdout
    assert "digits100-finetuned: 44,426 parameters, 0.56 MFLOPs an image" in told
    layers = (pipeline.root / "metrics/costs/digits100-scratch-layers.csv").read_text()
    assert "0,Conv2d,1×28×28,6×24×24,6,156" in layers
    found = pipeline.run("reprolab", "measure", "lenet5-relu", check=False)
    assert found.returncode == 1 and "data/splits/mnist" in found.stdout and "Traceback" not in found.stdout
