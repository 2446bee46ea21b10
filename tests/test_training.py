"""fit(): repeatable, resumable, honest about which epoch it keeps."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reprolab.checkpoint import Epoch, checkpoint_path
from reprolab.classifier import predict
from reprolab.config import Experiment, Training
from reprolab.data.splits import Part, SplitInfo, TrainingData, load_part, load_training_data
from reprolab.device import Device, choose_device
from reprolab.errors import InputError
from reprolab.optimization import make_optimizer, make_schedule, perceptron_loss
from reprolab.scores import score_logits
from reprolab.training import DivergenceError, Fit, fit

CPU = Device("cpu", "float32")
SETTINGS: dict[str, Any] = {
    "dataset": "noise",
    "init_from": "random",
    "model": {"name": "mlp", "hidden": [16]},
    "input": {"crop_padding": 1, "flip": True},
    "training": {
        "epochs": 5,
        "batch_size": 10,
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "schedule": {"name": "one-cycle"},
        "seeds": [0],
    },
}


def experiment(**training: Any) -> Experiment:
    settings = copy.deepcopy(SETTINGS)
    settings["training"] |= training
    return Experiment.model_validate(settings)


def run(folder: Path, settings: Experiment, checkpoint: Path, seed: int = 0, **options: Any) -> Fit:
    return fit(settings, load_training_data(folder, settings.training.data), seed, CPU, checkpoint, **options)


def weights(fitted: Fit) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(fitted.classifier.parameters()).detach()


class Stop(Exception):
    """Stands for whatever ends a process early."""


def stop_after(number: int) -> Callable[[Epoch], None]:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == number:
            raise Stop

    return on_epoch


@pytest.mark.parametrize("stopped_after", [1, 3, 5])
@pytest.mark.parametrize("data", ["train", "train+validation"])
@pytest.mark.parametrize("optimizer", [{"name": "adam", "lr": 0.01}, {"name": "sgd", "lr": 0.05, "momentum": 0.9}])
def test_a_run_that_was_cut_off_ends_with_the_same_weights(
    split_folder: Path, tmp_path: Path, data: str, optimizer: dict[str, Any], stopped_after: int
) -> None:
    settings = experiment(data=data, optimizer=optimizer)
    whole = run(split_folder, settings, tmp_path / "whole.pt")
    with pytest.raises(Stop):
        run(split_folder, settings, tmp_path / "parts.pt", on_epoch=stop_after(stopped_after))
    trained: list[int] = []
    resumed = run(split_folder, settings, tmp_path / "parts.pt", on_epoch=lambda epoch: trained.append(epoch.number))
    assert trained == list(range(stopped_after, 6))
    assert resumed.losses == whole.losses and len(whole.losses) == 5 * (5 if data == "train" else 6)
    assert torch.equal(weights(resumed), weights(whole))
    assert [epoch.train for epoch in resumed.history] == [epoch.train for epoch in whole.history]
    assert resumed.chosen.number == whole.chosen.number


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(split_folder: Path, tmp_path: Path) -> None:
    first, again, other = (
        weights(run(split_folder, experiment(), tmp_path / f"{index}.pt", seed)) for index, seed in enumerate([7, 7, 8])
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_kept_epoch_is_the_best_on_validation_and_scores_the_same_again(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(), tmp_path / "run.pt")
    ranks = [(epoch.validation["accuracy"], -epoch.validation["loss"]) for epoch in fitted.history if epoch.validation]
    assert fitted.chosen.number == ranks.index(max(ranks)) + 1
    images, labels = load_part(split_folder, "validation").on("cpu")
    assert score_logits(predict(fitted.classifier, images), labels) == fitted.chosen.validation


def test_without_a_validation_part_the_last_epoch_is_kept(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(data="train+validation"), tmp_path / "run.pt")
    assert fitted.chosen.number == 5
    assert all(epoch.validation is None for epoch in fitted.history)


def test_training_learns(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(epochs=30), tmp_path / "run.pt")
    images, labels = load_part(split_folder, "test").on("cpu")
    assert score_logits(predict(fitted.classifier, images), labels)["accuracy"] > 0.9
    assert fitted.history[-1].train["loss"] < fitted.history[0].train["loss"] / 2


def test_training_never_reads_the_test_part(split_folder: Path, tmp_path: Path) -> None:
    (split_folder / "test.safetensors").unlink()
    assert len(run(split_folder, experiment(), tmp_path / "run.pt").history) == 5


def test_the_scores_of_an_epoch_count_every_example_once(split_folder: Path, tmp_path: Path) -> None:
    # Batches of 9 leave a smaller last one of 3 among 48 examples, and the rate is too low to change anything.
    settings = experiment(batch_size=9, epochs=1, optimizer={"name": "sgd", "lr": 1e-12}, schedule=None)
    plain = settings.model_copy(update={"input": settings.input.model_copy(update={"crop_padding": 0, "flip": False})})
    fitted = run(split_folder, plain, tmp_path / "run.pt")
    images, labels = load_part(split_folder, "train").on("cpu")
    assert fitted.history[0].train == pytest.approx(score_logits(predict(fitted.classifier, images), labels))


def test_a_loss_that_is_not_finite_stops_with_epoch_step_and_rate(split_folder: Path, tmp_path: Path) -> None:
    settings = experiment(optimizer={"name": "sgd", "lr": 1e30}, schedule=None)
    with pytest.raises(DivergenceError, match=r"epoch 1, step \d, with the learning rate 1e\+30: lower"):
        run(split_folder, settings, tmp_path / "run.pt")
    assert not (tmp_path / "run.pt").exists()


def test_weights_that_the_last_step_ruins_are_not_kept(split_folder: Path, tmp_path: Path) -> None:
    settings = experiment(
        epochs=1, batch_size=100, optimizer={"name": "sgd", "lr": 1e30, "weight_decay": 1e30}, schedule=None
    )
    with pytest.raises(DivergenceError, match=r"the weights are not finite in epoch 1, step 1, with the learning rate"):
        run(split_folder, settings, tmp_path / "run.pt")
    assert not (tmp_path / "run.pt").exists()


def test_snapshots_hold_the_start_and_every_epoch(split_folder: Path, tmp_path: Path) -> None:
    settings = experiment(snapshots=True, data="train+validation")
    whole = run(split_folder, settings, tmp_path / "whole.pt")
    with pytest.raises(Stop):
        run(split_folder, settings, tmp_path / "parts.pt", on_epoch=stop_after(3))
    resumed = run(split_folder, settings, tmp_path / "parts.pt")
    assert list(resumed.snapshots) == [0, 1, 2, 3, 4, 5]
    for epoch, snapshot in whole.snapshots.items():
        assert all(torch.equal(resumed.snapshots[epoch][name], value) for name, value in snapshot.items())
    last = whole.classifier.state_dict()
    assert all(torch.equal(last[name], value) for name, value in whole.snapshots[5].items())
    assert not run(split_folder, experiment(), tmp_path / "none.pt").snapshots


def test_the_perceptron_s_loss_is_its_rule() -> None:
    weights = torch.zeros(3, requires_grad=True)
    by_hand = np.zeros(3)
    generator = np.random.default_rng(0)
    for _ in range(40):
        example = np.append(generator.uniform(size=2), 1.0)
        label = int(example[0] > example[1])
        z = weights @ torch.from_numpy(example).float()
        (gradient,) = torch.autograd.grad(
            perceptron_loss(torch.stack([torch.zeros(()), z])[None], torch.tensor([label])), weights
        )
        weights = (weights - 0.5 * gradient).detach().requires_grad_()
        by_hand += 0.5 * (label - int(by_hand @ example > 0)) * example
    assert weights.detach().numpy() == pytest.approx(by_hand, abs=1e-6)
    assert abs(by_hand).sum() > 0


def features(count: int) -> TrainingData:
    """Points of two classes, one on each side of the diagonal, with a gap between them."""
    points = np.random.default_rng(0).random((count, 2), dtype=np.float32)
    labels = (points[:, 0] > points[:, 1]).astype(np.int64)
    points[:, 0] += np.where(labels == 1, 0.2, -0.2)
    info = SplitInfo("points", "official", ["below", "above"], [2], [0.5, 0.5], [0.3, 0.3], {}, {})
    return TrainingData(info, Part(points, labels), None)


def table_experiment(**changes: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "dataset": "points",
            "model": {"name": "perceptron"},
            "init_from": "random",
            "input": {},
            "training": {
                "data": "train+validation",
                "epochs": 15,
                "batch_size": 1,
                "optimizer": {"name": "sgd", "lr": 0.5},
                "seeds": [0],
            },
            **changes,
        }
    )


def test_the_perceptron_separates_what_a_line_can_separate(tmp_path: Path) -> None:
    settings = table_experiment()
    settings = settings.model_copy(update={"training": settings.training.model_copy(update={"loss": "perceptron"})})
    fitted = fit(settings, features(60), 0, CPU, tmp_path / "run.pt")
    assert fitted.history[-1].train["accuracy"] == 1.0


def test_a_network_that_a_library_fits_learns_and_starts_anew(tmp_path: Path) -> None:
    model = {"name": "mlp_classifier", "hidden": [4]}
    training = {"epochs": 30, "batch_size": 20, "optimizer": {"name": "adam", "lr": 0.05}, "seeds": [0]}
    settings = table_experiment(model=model, training=training)
    data = TrainingData(features(60).info, features(60).train, features(20).train)
    fitted, again = (fit(settings, data, 0, CPU, tmp_path / "run.pt") for _ in range(2))
    assert fitted.chosen.validation and fitted.chosen.validation["accuracy"] > 0.9
    assert torch.equal(weights(fitted), weights(again))
    assert len(fitted.losses) == 30
    assert not (tmp_path / "run.pt").exists()


@pytest.mark.parametrize(("key", "value"), [("size", 8), ("flip", True), ("crop_padding", 1), ("channels", 3)])
def test_what_only_images_have_is_refused_for_features(key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"input.{key}: 'points' holds features, not images; remove this key"):
        fit(table_experiment(input={key: value}), features(9), 0, CPU, tmp_path / "run.pt")


def test_a_damaged_checkpoint_is_told(split_folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.pt"
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match=r"run.pt is not a checkpoint, or damaged: remove it"):
        run(split_folder, experiment(), checkpoint)


def test_checkpoints_of_other_inputs_are_never_picked_up(tmp_path: Path) -> None:
    paths = {checkpoint_path("a", inputs, seed) for inputs in ("1", "2") for seed in (0, 1)}
    assert len(paths) == 4
    assert all(path.is_relative_to(tmp_path) for path in paths)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, [1.0] * 6),
        ({"name": "step", "every": 2, "factor": 0.5}, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]),
    ],
)
def test_a_schedule_steps_by_epochs(schedule: dict[str, Any] | None, expected: list[float]) -> None:
    settings = experiment(epochs=3, optimizer={"name": "sgd", "lr": 1.0}, schedule=schedule).training
    assert rates(settings, steps_per_epoch=2) == pytest.approx(expected)


def test_one_cycle_rises_to_the_rate_and_ends_near_zero() -> None:
    settings = experiment(epochs=10, optimizer={"name": "sgd", "lr": 1.0, "momentum": 0.9}).training
    course = rates(settings, steps_per_epoch=10)
    assert max(course) == pytest.approx(1.0)
    assert course.index(max(course)) == 29
    assert course[0] < 0.05 and course[-1] < 0.001


def test_a_warm_up_of_one_step_is_refused() -> None:
    settings = experiment(epochs=5, schedule={"name": "one-cycle", "warmup": 0.2}).training
    with pytest.raises(InputError, match=r"training.schedule.warmup: found 0.2, which is one step of 5"):
        rates(settings, steps_per_epoch=1)


def rates(settings: Training, steps_per_epoch: int) -> list[float]:
    optimizer = make_optimizer(settings.optimizer, torch.nn.Linear(1, 1))
    schedule = make_schedule(settings, optimizer, steps_per_epoch)
    seen = []
    for _ in range(settings.epochs * steps_per_epoch):
        seen.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return seen


def test_the_environment_chooses_device_and_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_PRECISION", "float32")
    assert choose_device() == Device("cpu", "float32")
    monkeypatch.setenv("REPROLAB_PRECISION", "float16")
    with pytest.raises(InputError, match="REPROLAB_PRECISION: found 'float16'; allowed: float32, bfloat16"):
        choose_device()
    monkeypatch.setenv("REPROLAB_DEVICE", "tpu")
    with pytest.raises(InputError, match="REPROLAB_DEVICE: found 'tpu'; this machine has: "):
        choose_device()


def test_bfloat16_trains_to_float32_weights(split_folder: Path, tmp_path: Path) -> None:
    data = load_training_data(split_folder, "train")
    fitted = fit(experiment(), data, 0, Device("cpu", "bfloat16"), tmp_path / "run.pt")
    assert {parameter.dtype for parameter in fitted.classifier.parameters()} == {torch.float32}
    assert fitted.history[-1].train["loss"] < fitted.history[0].train["loss"]
