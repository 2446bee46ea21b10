"""Another experiment's weights are a dependency: the real DVC trains both, and again when either changes."""

from collections.abc import Iterator

import pytest

from tests.pipeline import Pipeline

ORIGIN, FINETUNED = "digits100-scratch", "digits100-finetuned"
TRAINED = {f"train@{ORIGIN}", f"train@{FINETUNED}"}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Both experiments trained for two epochs on digits, which need no download."""
    pipeline = Pipeline(tmp_path_factory.mktemp("transfer"))
    for name in (ORIGIN, FINETUNED):
        pipeline.set(f"experiments.{name}.training.epochs", 2)
        pipeline.set(f"experiments.{name}.training.seeds", [0])
    pipeline.set(f"experiments.{FINETUNED}.init_from", ORIGIN)
    assert pipeline.repro(f"train@{FINETUNED}") == TRAINED | {"download@digits100", "split@digits100"}
    yield pipeline


def test_an_edit_of_what_is_fine_tuned_leaves_its_start_alone(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{FINETUNED}.freeze", "all-but-head")
    assert pipeline.repro(f"train@{FINETUNED}") == {f"train@{FINETUNED}"}
    pipeline.set(f"experiments.{FINETUNED}.freeze", former)
    assert pipeline.repro(f"train@{FINETUNED}") == set()


def test_an_edit_of_the_start_trains_both_again(pipeline: Pipeline) -> None:
    former = pipeline.set(f"experiments.{ORIGIN}.training.optimizer.lr", 0.002)
    assert pipeline.repro(f"train@{FINETUNED}") == TRAINED
    pipeline.set(f"experiments.{ORIGIN}.training.optimizer.lr", former)
    assert pipeline.repro(f"train@{FINETUNED}") == set()


def test_weights_that_cannot_be_had_stop_their_own_experiment_alone(pipeline: Pipeline) -> None:
    pipeline.set(f"experiments.{FINETUNED}.init_from", "imagenet")
    pipeline.set(f"experiments.{ORIGIN}.training.optimizer.lr", 0.003)
    found = pipeline.run("dvc", "repro", "--keep-going", f"train@{FINETUNED}", f"train@{ORIGIN}", check=False)
    assert found.returncode != 0 and "Traceback" not in found.stdout
    assert "'lenet5' has no ImageNet weights; allowed: alexnet, efficientnet_lite0, resnet" in found.stdout
    assert not (pipeline.root / "models" / FINETUNED).exists()
    assert (pipeline.root / "models" / ORIGIN / "model.json").exists()
    status = pipeline.run("dvc", "status", f"train@{ORIGIN}").stdout
    assert "up to date" in status


def test_a_comparison_names_what_has_not_run(pipeline: Pipeline) -> None:
    pipeline.run("dvc", "repro", "--single-item", "compare@pretraining")
    assert "not run" in (pipeline.root / "metrics/comparison/pretraining.md").read_text()
    assert (pipeline.root / "metrics/comparison/pretraining/curves.png").exists()


def test_costs_of_an_architecture_are_measured_without_training(pipeline: Pipeline) -> None:
    printed = pipeline.reprolab("measure", "digits100-scratch", "digits100-finetuned").stdout
    assert "digits100-finetuned: 44,426 parameters, 0.56 MFLOPs an image" in printed
    layers = (pipeline.root / "metrics/costs/digits100-scratch-layers.csv").read_text()
    assert "0,Conv2d,1×28×28,6×24×24,6,156" in layers
    found = pipeline.reprolab("measure", "lenet5-relu", check=False)
    assert found.returncode == 1 and "data/splits/mnist" in found.stdout and "Traceback" not in found.stdout
