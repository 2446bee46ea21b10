"""Proofs: the same code gives the same, other code is found out where it acts, and a proved training is known."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

import reprolab.training.checkpoint
import reprolab.training.meter
import reprolab.training.optimizers.sgd
import reprolab.training.proof as module
from reprolab.architectures.mlp_classifier import MlpClassifier
from reprolab.core.config import Experiment
from reprolab.data.batches import Batches
from reprolab.data.parts import Part, TrainingData, load_training_data
from reprolab.models.pretrained import PretrainedWeights
from reprolab.training.archive import folder_of, train_once
from reprolab.training.device import Device
from reprolab.training.proof import STEPS, Miniature, Proof, difference, prove
from reprolab.training.record import Scores
from reprolab.training.run import train
from reprolab.training.scores import score_logits
from tests.factories import make_classifier, make_experiment, make_model_info, make_origin

SGD = make_experiment({"batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}})
CNN = make_experiment(
    {"batch_size": 8, "schedule": {"name": "one_cycle"}},
    model={"name": "cnn"},
    input={"crop_padding": 1, "flip": True},
)
LIBRARY = make_experiment(model={"name": "mlp_classifier", "hidden": [4]})


@pytest.fixture
def data(split_folder: Path) -> TrainingData:
    """48 images to train on, and 12 for validation."""
    return load_training_data(split_folder, "train")


@pytest.fixture
def known(data: TrainingData) -> Proof:
    """Of `SGD`, with the code as it is."""
    return prove(SGD, data, None, 0)


def present(data: TrainingData, experiment: Experiment = SGD) -> Proof:
    return prove(experiment, data, None, 0)


def found(known: Proof, data: TrainingData) -> str:
    """What differs with the code as it is now."""
    differs = difference(known, present(data))
    assert differs
    return differs


@pytest.mark.parametrize("has_validation", [True, False], ids=["validation", "no validation"])
@pytest.mark.parametrize("experiment", [SGD, CNN, LIBRARY], ids=["mlp", "cnn", "mlp_classifier"])
def test_the_same_code_gives_no_difference_also_through_the_file(
    experiment: Experiment, has_validation: bool, data: TrainingData, tmp_path: Path
) -> None:
    data = data if has_validation else replace(data, validation=None)
    proof = present(data, experiment)
    proof.save(tmp_path / "proof.json")
    torch.manual_seed(5)
    assert difference(Proof.load(tmp_path / "proof.json"), present(data, experiment)) is None


def test_it_holds_the_start_some_of_the_first_steps_and_a_whole_miniature(known: Proof, data: TrainingData) -> None:
    assert [step.number for step in known.steps] == [0, 1, 2, 5, 10]  # of twelve in all
    hashes = [tuple(step.weights.items()) for step in known.steps]
    assert len(set(hashes)) == len(hashes)
    assert list(known.steps[0].weights) == list(make_classifier(make_model_info(SGD, data.info)).state_dict())
    assert [epoch.number for epoch in known.miniature.epochs] == [1, 2]
    assert all(epoch.validation for epoch in known.miniature.epochs)
    assert known.miniature.best in (1, 2) and known.miniature.diverged is None


def test_no_more_steps_than_these_are_taken(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    monkeypatch.setattr(module, "_miniature", lambda *given: Miniature(epochs=[], weights={}))
    hook = register_optimizer_step_pre_hook(lambda *given: taken.append(given))
    proof = present(data, make_experiment({"batch_size": 8, "epochs": 100}))
    hook.remove()
    assert [step.number for step in proof.steps] == list(STEPS)
    assert len(taken) == STEPS[-1]


def test_what_was_fine_tuned_is_proved_from_the_same_weights(data: TrainingData) -> None:
    experiment = make_experiment(init_from="donor", freeze="all-but-head")
    donor = make_classifier(make_model_info(experiment, data.info), seed=7)
    weights = PretrainedWeights("donor, seed 7", donor.network.state_dict())
    proof = prove(experiment, data, weights, 0)
    assert difference(proof, prove(experiment, data, weights, 0)) is None
    other = replace(weights, weights={name: 2 * value for name, value in weights.weights.items()})
    differs = difference(proof, prove(experiment, data, other, 0))
    assert differs == "at the start, network.1.weight differs"


def test_a_training_is_left_as_it_was_by_its_proof(data: TrainingData) -> None:
    before = train(SGD, data, None, 0)
    values = {name: value.clone() for name, value in before.classifier.state_dict().items()}
    present(data)
    assert all(torch.equal(before.classifier.state_dict()[name], value) for name, value in values.items())
    again = train(SGD, data, None, 0)
    assert all(torch.equal(again.classifier.state_dict()[name], value) for name, value in values.items())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    for _ in range(2 * STEPS[-1]):
        optimizer.step()  # no hook of the proof's is left to stop it


# Other code


def test_another_initialisation_is_found_at_the_start(
    known: Proof, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda weight, a: torch.nn.init.xavier_uniform_(weight))
    assert found(known, data) == "at the start, network.1.weight differs"


def test_another_normalisation_of_the_input_is_found_at_the_start(known: Proof, data: TrainingData) -> None:
    info = data.info.model_copy(update={"std": [0.5]})
    assert found(known, replace(data, info=info)) == "at the start, std differs"


def test_another_architecture_is_found_at_the_start(known: Proof, data: TrainingData) -> None:
    wider = SGD.model_copy(update={"model": make_experiment(model={"name": "mlp", "hidden": [9]}).model})
    assert difference(known, present(data, wider)) == "at the start, network.1.weight differs"
    deeper = SGD.model_copy(update={"model": make_experiment(model={"name": "mlp", "hidden": [8, 4]}).model})
    assert difference(known, present(data, deeper)) == "at the start, network.3.weight differs"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lr": 0.0500001}, "after step 1, network.1.weight differs"),
        ({"momentum": 0.8}, "after step 2, network.1.weight differs"),  # it begins with the second gradient
        ({"weight_decay": 1e-3}, "after step 1, network.1.weight differs"),
    ],
    ids=str,
)
def test_another_step_is_found_where_it_acts(
    changes: dict[str, float], expected: str, known: Proof, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(parameters: Any, lr: float, **options: Any) -> torch.optim.SGD:
        return torch.optim.SGD(parameters, **{"lr": lr, **options, **changes})

    monkeypatch.setattr(reprolab.training.optimizers.sgd, "SGD", changed)
    assert found(known, data) == expected


def test_another_order_is_found_after_the_first_step(
    known: Proof, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Batches.epoch

    def reversed_(self: Batches, seed: int, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from reversed(list(whole(self, seed, number)))

    monkeypatch.setattr(Batches, "epoch", reversed_)
    assert found(known, data).startswith("after step 1, ")


def test_what_acts_after_the_first_steps_is_found_in_the_miniature(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, whole = make_experiment({"batch_size": 8, "epochs": 5}), Batches.epoch  # of six batches each
    known = present(data, experiment)

    def reversed_at_last(self: Batches, seed: int, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        batches = list(whole(self, seed, number))
        yield from reversed(batches) if number == 5 else batches

    monkeypatch.setattr(Batches, "epoch", reversed_at_last)
    differs = difference(known, present(data, experiment))
    assert differs == "in its miniature, the scores or the learning rate of epoch 5 differ"


def test_other_scores_are_found_by_their_epoch(
    known: Proof, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_scores(logits: torch.Tensor, labels: torch.Tensor) -> Scores:
        return replace(score_logits(logits, labels), macro_f1=0.123456)

    monkeypatch.setattr(reprolab.training.meter, "score_logits", other_scores)
    assert found(known, data) == "in its miniature, the scores or the learning rate of epoch 1 differ"


def test_another_choice_of_the_epoch_is_found(
    data: TrainingData, known: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = reprolab.training.checkpoint._rank
    monkeypatch.setattr(reprolab.training.checkpoint, "_rank", lambda epoch: tuple(-value for value in rank(epoch)))
    assert found(known, data) == "at the end of its miniature, network.1.weight differs"


def test_a_library_s_other_fit_is_found_in_the_miniature(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    known, whole = present(data, LIBRARY), MlpClassifier.fit_epoch
    assert known.steps == []

    def reversed_(self: MlpClassifier, inputs: torch.Tensor, labels: torch.Tensor, *settings: Any) -> None:
        whole(self, inputs.flip(0), labels.flip(0), *settings)

    monkeypatch.setattr(MlpClassifier, "fit_epoch", reversed_)
    differs = difference(known, present(data, LIBRARY))
    assert differs == "in its miniature, the scores or the learning rate of epoch 1 differ"


def test_a_library_s_network_is_fitted_for_the_miniature_alone(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    whole = MlpClassifier.fit_epoch

    def counted(self: MlpClassifier, inputs: torch.Tensor, *rest: Any) -> bool:
        sizes.append(len(inputs))
        return whole(self, inputs, *rest)

    monkeypatch.setattr(MlpClassifier, "fit_epoch", counted)
    assert present(data, LIBRARY).steps == []
    assert len(sizes) == LIBRARY.training.epochs


def test_a_training_that_diverges_has_a_proof_that_says_so(data: TrainingData, any_learning_rate: None) -> None:
    steep = make_experiment({"batch_size": 8, "optimizer": {"name": "sgd", "lr": 1e30}})
    proof = present(data, steep)
    assert proof.miniature.diverged and proof.miniature.weights == {} and proof.miniature.best is None
    assert difference(proof, present(data, steep)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"processor": "another"},
        {"device": Device("cuda", "float32", 1)},
        {"device": Device("cpu", "bfloat16", 1)},
        {"device": Device("cpu", "float32", 2)},
    ],
    ids=str,
)
def test_another_processor_or_device_cannot_be_compared(known: Proof, changes: dict[str, Any]) -> None:
    differs = difference(known.model_copy(update=changes), known)
    assert differs and differs.startswith("not comparable, since it was trained on ")
    assert str(next(iter(changes.values()))) in differs and known.processor in differs


def test_other_steps_are_told_by_their_number(known: Proof) -> None:
    other = known.model_copy(update={"steps": known.steps[:2]})
    assert difference(other, known) == "2 of the first steps were recorded, and now there are 5"


def test_the_time_that_an_epoch_took_is_no_difference(known: Proof) -> None:
    slow = [replace(epoch, seconds=1e3, images_per_second=1.0) for epoch in known.miniature.epochs]
    miniature = known.miniature.model_copy(update={"epochs": slow})
    assert difference(known, known.model_copy(update={"miniature": miniature})) is None
    rates = [replace(epoch, learning_rate=0.5) for epoch in known.miniature.epochs]
    miniature = known.miniature.model_copy(update={"epochs": rates})
    differs = difference(known, known.model_copy(update={"miniature": miniature}))
    assert differs == "in its miniature, the scores or the learning rate of epoch 1 differ"


@pytest.mark.parametrize(
    ("examples", "batch_size", "expected"), [(10_000, 10, 100), (300, 100, 200), (150, 100, 150), (60_000, 64, 9 * 64)]
)
def test_a_miniature_has_a_hundredth_of_the_batches_from_all_over(
    examples: int, batch_size: int, expected: int
) -> None:
    numbers = np.arange(examples)
    chosen = module._some(Part(numbers[:, None].astype(np.float32), numbers), batch_size).labels
    assert len(chosen) == expected == len(set(chosen.tolist()))
    assert (chosen[0], chosen[-1]) == (0, examples - 1)
    assert np.diff(chosen).max() - np.diff(chosen).min() <= 1


def test_every_training_leaves_its_proof(data: TrainingData) -> None:
    origin = make_origin()
    train_once("small", SGD, data, None, origin, lambda epoch: None)
    assert difference(Proof.load(folder_of(origin.identity).path / "proof.json"), present(data)) is None
