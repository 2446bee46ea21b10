"""train(): repeatable, resumable, and which epoch's weights it ends with."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.data.parts import TrainingData, load_part, load_training_data
from reprolab.models.classifier import predict
from reprolab.training.device import Device
from reprolab.training.meter import DivergenceError, EpochMeter
from reprolab.training.record import Epoch, Fit
from reprolab.training.run import train
from reprolab.training.scores import score_logits
from tests.factories import make_classifier, make_experiment, make_points

CONSTANT = {"name": "constant"}
AUGMENTED = {"crop_padding": 1, "flip": True}


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_PRECISION", "float32")


def experiment(**training: Any) -> Experiment:
    defaults = {
        "epochs": 5,
        "batch_size": 10,
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "schedule": {"name": "one_cycle"},
    }
    return make_experiment(defaults | training, model={"name": "mlp", "hidden": [16]}, input=AUGMENTED)


def run(folder: Path, settings: Experiment, checkpoint: Path, seed: int = 0, **options: Any) -> Fit:
    data = load_training_data(folder, settings.training.data)
    return train(settings, data, None, seed, checkpoint, **options)


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
    assert trained == list(range(stopped_after + 1, 6))
    assert resumed.losses == whole.losses and len(whole.losses) == 5 * (5 if data == "train" else 6)
    assert torch.equal(weights(resumed), weights(whole))
    assert [epoch.train for epoch in resumed.epochs] == [epoch.train for epoch in whole.epochs]
    assert resumed.best.number == whole.best.number


@pytest.mark.parametrize("schedule", [CONSTANT, {"name": "step", "every": 2, "factor": 0.1}], ids=str)
def test_a_resumed_run_goes_on_where_its_schedule_was(
    split_folder: Path, tmp_path: Path, schedule: dict[str, Any]
) -> None:
    settings = experiment(schedule=schedule)
    whole = run(split_folder, settings, tmp_path / "whole.pt")
    with pytest.raises(Stop):
        run(split_folder, settings, tmp_path / "parts.pt", on_epoch=stop_after(3))
    resumed = run(split_folder, settings, tmp_path / "parts.pt")
    assert [epoch.learning_rate for epoch in resumed.epochs] == [epoch.learning_rate for epoch in whole.epochs]
    assert torch.equal(weights(resumed), weights(whole))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(split_folder: Path, tmp_path: Path) -> None:
    first, again, other = (
        weights(run(split_folder, experiment(), tmp_path / f"{index}.pt", seed)) for index, seed in enumerate([7, 7, 8])
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_best_epoch_is_that_on_validation_and_scores_the_same_again(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(), tmp_path / "run.pt")
    ranks = [(epoch.validation.accuracy, -epoch.validation.loss) for epoch in fitted.epochs if epoch.validation]
    assert fitted.best.number == ranks.index(max(ranks)) + 1
    images, labels = load_part(split_folder, "validation").on("cpu")
    assert score_logits(predict(fitted.classifier, images), labels) == fitted.best.validation


@pytest.mark.parametrize("keep", [None, "last"])
def test_the_last_epoch_is_kept_where_that_is_asked_for(
    keep: str | None, split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first epoch ranks highest, so that the two choices differ.
    monkeypatch.setattr("reprolab.training.checkpoint._rank", lambda epoch: (-epoch.number, 0.0))
    settings = experiment(keep=keep, snapshots=True)
    fitted = run(split_folder, settings, tmp_path / "checkpoint")
    expected = {None: 1, "last": 5}[keep]
    assert fitted.best.number == expected and len(fitted.epochs) == 5
    weights_then = fitted.snapshots[expected]
    assert all(torch.equal(value, weights_then[key]) for key, value in fitted.classifier.state_dict().items())


def test_without_a_validation_part_the_last_epoch_is_the_best(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(data="train+validation"), tmp_path / "run.pt")
    assert fitted.best.number == 5
    assert all(epoch.validation is None for epoch in fitted.epochs)


def test_training_learns(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(epochs=30), tmp_path / "run.pt")
    images, labels = load_part(split_folder, "test").on("cpu")
    assert score_logits(predict(fitted.classifier, images), labels).accuracy > 0.9
    assert fitted.epochs[-1].train.loss < fitted.epochs[0].train.loss / 2


def test_training_never_reads_the_test_part(split_folder: Path, tmp_path: Path) -> None:
    (split_folder / "test.safetensors").unlink()
    assert len(run(split_folder, experiment(), tmp_path / "run.pt").epochs) == 5


def test_the_scores_of_an_epoch_count_every_example_once(split_folder: Path, tmp_path: Path) -> None:
    # Batches of 9 leave a smaller last one of 3 among 48 examples, and the rate is too low to change anything.
    settings = make_experiment({"batch_size": 9, "epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-12}})
    fitted = run(split_folder, settings, tmp_path / "run.pt")
    images, labels = load_part(split_folder, "train").on("cpu")
    again = score_logits(predict(fitted.classifier, images), labels)
    assert asdict(fitted.epochs[0].train) == pytest.approx(asdict(again))


def test_a_loss_that_is_not_finite_stops_with_epoch_step_and_rate(
    split_folder: Path, tmp_path: Path, any_learning_rate: None
) -> None:
    settings = experiment(optimizer={"name": "sgd", "lr": 1e30}, schedule=CONSTANT)
    with pytest.raises(DivergenceError, match=r"epoch 1, step \d, with the learning rate 1e\+30: lower"):
        run(split_folder, settings, tmp_path / "run.pt")
    assert not (tmp_path / "run.pt").exists()


def test_weights_that_the_last_step_ruins_are_not_saved(
    split_folder: Path, tmp_path: Path, any_learning_rate: None
) -> None:
    settings = experiment(
        epochs=1,
        batch_size=100,
        optimizer={"name": "sgd", "lr": 1e30, "weight_decay": 1e30},
        schedule=CONSTANT,
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


def test_a_network_that_a_library_fits_learns_and_starts_anew(tmp_path: Path) -> None:
    training = {"epochs": 30, "batch_size": 20, "optimizer": {"name": "adam", "lr": 0.05}}
    settings = make_experiment(training, model={"name": "mlp_classifier", "hidden": [4]})
    data = TrainingData(make_points(60).info, make_points(60).train, make_points(20).train)
    numbers: list[int] = []
    fitted, again = (
        train(settings, data, None, 0, tmp_path / "run.pt", lambda epoch: numbers.append(epoch.number))
        for _ in range(2)
    )
    assert fitted.best.validation and fitted.best.validation.accuracy > 0.9
    assert torch.equal(weights(fitted), weights(again))
    assert len(fitted.losses) == 30
    assert numbers == [*range(1, 31)] * 2
    assert not (tmp_path / "run.pt").exists()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_a_library_ruins_stop_the_training(tmp_path: Path, any_learning_rate: None) -> None:
    settings = make_experiment(
        {"optimizer": {"name": "sgd", "lr": 1e200}}, model={"name": "mlp_classifier", "hidden": [4]}
    )
    with pytest.raises(DivergenceError, match=r"not finite in epoch 1, step 1, with the learning rate 1e\+200: lower"):
        train(settings, make_points(60), None, 0, tmp_path / "run.pt")


def test_bfloat16_trains_to_float32_weights(
    split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = run(split_folder, experiment(), tmp_path / "exact.pt")
    monkeypatch.setenv("REPROLAB_PRECISION", "bfloat16")
    fitted = run(split_folder, experiment(), tmp_path / "run.pt")
    assert fitted.device == Device("cpu", "bfloat16", 1)
    assert {parameter.dtype for parameter in fitted.classifier.parameters()} == {torch.float32}
    assert fitted.epochs[-1].train.loss < fitted.epochs[0].train.loss
    assert not torch.equal(weights(fitted), weights(exact))


def test_a_training_has_the_threads_that_its_device_says(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setenv("REPROLAB_THREADS", "2")
    fitted = train(make_experiment(), make_points(20), None, 0, None, lambda _: threads.append(torch.get_num_threads()))
    assert fitted.device == Device("cpu", "float32", 2)
    assert threads == [2, 2]


def test_nothing_drawn_before_a_training_matters(split_folder: Path, tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(weights(run(split_folder, experiment(), tmp_path / f"{seed}.pt")))
    assert torch.equal(*found)


def test_the_scores_and_losses_of_a_training_are_those_of_its_files(split_folder: Path, tmp_path: Path) -> None:
    fitted = run(split_folder, experiment(), tmp_path / "run.pt")
    scores = [value for epoch in fitted.epochs for value in asdict(epoch.train).values()]
    assert all(value == round(value, 6) for value in [*scores, *fitted.losses])


def test_a_meter_names_the_first_step_that_is_not_finite() -> None:
    meter = EpochMeter(3)
    for loss in (1.0, 3.0):
        meter.add(torch.tensor(loss), torch.zeros(2, 3), torch.tensor([0, 1]), 0.5)
    assert meter.check() == 2.0
    meter.add(torch.tensor(float("inf")), torch.zeros(2, 3), torch.tensor([0, 1]), 0.25)
    with pytest.raises(DivergenceError, match=r"^the loss is not finite in epoch 3, step 3, with the .* 0\.25: lower"):
        meter.end(make_classifier(), None)


def test_validation_scores_that_are_not_finite_stop_the_training() -> None:
    classifier = make_classifier()
    meter = EpochMeter(2)
    meter.add(torch.tensor(1.0), torch.zeros(2, 3), torch.tensor([0, 1]), 0.5)
    with torch.no_grad():  # finite weights whose logits overflow
        for parameter in classifier.parameters():
            parameter.fill_(3e38)
    inputs = torch.full((2, 1, 8, 8), 255, dtype=torch.uint8)
    with pytest.raises(DivergenceError, match=r"^the validation loss is not finite in epoch 2, step 1, "):
        meter.end(classifier, (inputs, torch.tensor([0, 1])))


@pytest.mark.parametrize(
    ("training", "model", "message"),
    [
        (
            {"optimizer": {"name": "sgd", "rate": 0.1}},
            "mlp",
            "experiment.training.optimizer.rate: unknown option",
        ),
        (
            {"schedule": {"name": "step", "every": 1}},
            "mlp",
            "experiment.training.schedule.factor: this option",
        ),
        ({"schedule": {"name": "one_cycle"}}, "mlp_classifier", "experiment: scikit-learn's mlp_classifier knows no"),
    ],
)
def test_wrong_settings_are_refused_without_a_stage(training: dict[str, Any], model: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        train(make_experiment(training, model={"name": model, "hidden": [4]}), make_points(20), None, 0)
    assert str(error.value).startswith(message)


def test_without_a_checkpoint_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(make_experiment(), make_points(20), None, 0)
    assert list(tmp_path.iterdir()) == []
