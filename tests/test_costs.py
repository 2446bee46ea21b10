"""What an architecture costs: figures that can be worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from reprolab.core.errors import InputError
from reprolab.core.files import read_table
from reprolab.core.layout import SPLIT, SPLITS, costs_file, layers_file
from reprolab.evaluation import costs as module
from reprolab.evaluation.costs import costs, layer_rows, measure
from reprolab.evaluation.record import Costs, LayerRow
from reprolab.models.classifier import Classifier
from tests.factories import CPU, make_classifier, make_experiment, make_model_info, make_params, make_split_info


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_LEAST_SECONDS", 0.0)


def built(model: dict[str, Any], shape: tuple[int, ...], init_from: str = "random", **settings: Any) -> Classifier:
    freeze = "none" if init_from == "random" else "all-but-head"
    experiment = make_experiment(model=model, init_from=init_from, freeze=freeze, input=settings)
    return make_classifier(make_model_info(experiment, make_split_info(shape, classes=10)))


def test_an_mlp_costs_what_its_matrices_do() -> None:
    found = costs(built({"name": "mlp", "hidden": [6]}, (4,)), (4,), 8, CPU)
    assert found.parameters == 4 * 6 + 6 + 6 * 10 + 10
    assert found.flops_per_image == 2 * (4 * 6 + 6 * 10)
    assert found.training_images_per_second and found.inference_images_per_second
    assert found.batch_size == 8


def test_attention_is_counted() -> None:
    model = {"name": "vit", "patch": 4, "layers": 1, "heads": 2, "width": 8}
    found = costs(built(model, (3, 32, 32)), (3, 32, 32), 2, CPU)
    tokens, width = 65, 8
    patches = 64 * 3 * 4 * 4 * width
    attention = tokens * 4 * width * width + 2 * tokens * tokens * width
    perceptrons = tokens * 2 * width * 4 * width
    assert found.flops_per_image == 2 * (patches + attention + perceptrons + width * 10)


def test_training_memory_grows_with_the_batch_by_what_is_saved() -> None:
    small, large = (costs(built({"name": "lenet5"}, (1, 32, 32)), (1, 32, 32), size, CPU) for size in (1, 11))
    assert small.training_memory_mb and large.training_memory_mb
    grown = (large.training_memory_mb - small.training_memory_mb) * 1e6 / 10
    # The first convolution's output alone is 6 maps of 28×28 float32 numbers, saved for the tanh.
    assert 6 * 28 * 28 * 4 < grown < 20 * 6 * 28 * 28 * 4
    weights = sum(value.numel() for value in built({"name": "lenet5"}, (1, 32, 32)).state_dict().values()) * 4 / 1e6
    assert small.weights_mb == pytest.approx(weights, abs=0.001)


def test_a_network_that_a_library_fits_has_no_figures_of_training() -> None:
    found = costs(built({"name": "mlp_classifier", "hidden": [2]}, (4,)), (4,), 8, CPU)
    assert found.training_memory_mb is None and found.training_images_per_second is None
    assert found.inference_images_per_second > 0


def test_the_layers_of_lenet_are_those_of_the_paper() -> None:
    rows = layer_rows(built({"name": "lenet5"}, (1, 28, 28), size=32), (1, 28, 28))
    table = [(row.type, row.input, row.output, row.maps, row.parameters) for row in rows]
    assert [entry for entry in table if entry[4] or entry[0] == "AvgPool2d"] == [
        ("Conv2d", "1×32×32", "6×28×28", 6, 156),
        ("AvgPool2d", "6×28×28", "6×14×14", 6, 0),
        ("Conv2d", "6×14×14", "16×10×10", 16, 2416),
        ("AvgPool2d", "16×10×10", "16×5×5", 16, 0),
        ("Linear", "400", "120", None, 48120),
        ("Linear", "120", "84", None, 10164),
        ("Linear", "84", "10", None, 850),
    ]


def test_the_layers_of_a_transformer_hold_all_its_parameters() -> None:
    classifier = built({"name": "vit", "patch": 8, "layers": 2, "heads": 2, "width": 8}, (3, 32, 32))
    rows = layer_rows(classifier, (3, 32, 32))
    attention = [(row.input, row.output, row.parameters) for row in rows if "Attention" in row.type]
    assert attention == [("17×8", "17×8", 3 * (64 + 8) + 64 + 8)] * 2
    assert sum(row.parameters for row in rows) == sum(value.numel() for value in classifier.parameters())


def test_measuring_leaves_the_hooks_and_the_random_numbers_of_others_alone() -> None:
    classifier = built({"name": "mlp", "hidden": [6]}, (4,))
    state = torch.random.get_rng_state()
    layer_rows(classifier, (4,))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(layer._forward_hooks for layer in classifier.modules())
    assert classifier(torch.zeros(1, 4)).shape == (1, 10)


def test_frozen_layers_are_counted_but_cost_as_if_they_trained() -> None:
    whole, frozen = (
        costs(built({"name": "mlp", "hidden": [6]}, (4,), init_from), (4,), 8, CPU) for init_from in ("random", "other")
    )
    assert (whole.trainable_parameters, frozen.trainable_parameters) == (100, 6 * 10 + 10)
    assert frozen.training_memory_mb == whole.training_memory_mb


def test_a_null_in_the_file_says_that_there_is_no_figure(tmp_path: Path) -> None:
    found = costs(built({"name": "mlp_classifier", "hidden": [2]}, (4,)), (4,), 8, CPU)
    found.save(tmp_path / "costs.json")
    content = json.loads((tmp_path / "costs.json").read_text())
    assert content["training_memory_mb"] is None and content["training_images_per_second"] is None
    assert Costs.load(tmp_path / "costs.json") == found


def test_experiments_with_the_same_network_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_split_info(classes=10).save(SPLITS / "digits" / SPLIT)
    params = make_params(
        {
            "small": {},
            "again": {"init_from": "small", "freeze": "all-but-head", "training": {"data": "train+validation"}},
            "large": {"model": {"name": "mlp", "hidden": [16]}},
        }
    )
    measured: list[Classifier] = []

    def counted(classifier: Classifier, *given: Any) -> Costs:
        measured.append(classifier)
        return costs(classifier, *given)

    monkeypatch.setattr(module, "costs", counted)
    measure(params, ["small", "again", "large"])
    assert len(measured) == 2
    small, again, large = (Costs.load(costs_file(name)) for name in ("small", "again", "large"))
    assert (small.parameters, small.trainable_parameters) == (610, 610)
    assert again == small.model_copy(update={"trainable_parameters": 8 * 10 + 10, "epoch_seconds": again.epoch_seconds})
    for found, examples in ((small, 48), (again, 60)):
        assert found.epoch_seconds and found.training_images_per_second
        assert found.epoch_seconds == round(examples / found.training_images_per_second, 3)
    assert large.parameters > small.parameters
    rows = read_table(layers_file("small"), LayerRow)
    assert sum(row.parameters for row in rows) == 610
    assert capsys.readouterr().out.startswith("small: 610 parameters, 0.00 MFLOPs an image, ")


def test_a_missing_split_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"digits/split\.json is missing"):
        measure(make_params({"small": {}}), ["small"])
