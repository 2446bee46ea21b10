"""What an architecture costs: figures that can be worked out by hand."""

from typing import Any

import pytest
import torch

from reprolab.classifier import build_classifier
from reprolab.config import Experiment
from reprolab.costs import costs, layer_rows
from reprolab.data.splits import SplitInfo
from reprolab.device import Device

CPU = Device("cpu", "float32")


def built(model: dict[str, Any], shape: tuple[int, ...], **settings: Any) -> Any:
    experiment = Experiment.model_validate(
        {
            "dataset": "noise",
            "model": model,
            "init_from": "random",
            "input": settings,
            "training": {"epochs": 1, "batch_size": 4, "optimizer": {"name": "adam", "lr": 0.1}, "seeds": [0]},
        }
    )
    statistics = [0.5] * shape[0]
    info = SplitInfo("noise", "official", [*"0123456789"], list(shape), statistics, statistics, {}, {})
    return build_classifier(experiment, info)


def test_an_mlp_costs_what_its_matrices_do() -> None:
    found = costs(built({"name": "mlp", "hidden": [6]}, (4,)), (4,), 8, CPU)
    assert found["parameters"] == 4 * 6 + 6 + 6 * 10 + 10
    assert found["flops_per_image"] == 2 * (4 * 6 + 6 * 10)
    assert found["training_images_per_second"] > 0 and found["inference_images_per_second"] > 0
    assert found["batch_size"] == 8


def test_attention_is_counted() -> None:
    model = {"name": "vit", "patch": 4, "layers": 1, "heads": 2, "width": 8}
    found = costs(built(model, (3, 32, 32)), (3, 32, 32), 2, CPU)
    tokens, width = 65, 8
    patches = 64 * 3 * 4 * 4 * width
    attention = tokens * 4 * width * width + 2 * tokens * tokens * width
    perceptrons = tokens * 2 * width * 4 * width
    assert found["flops_per_image"] == 2 * (patches + attention + perceptrons + width * 10)


def test_training_memory_grows_with_the_batch_by_what_is_kept() -> None:
    small, large = (costs(built({"name": "lenet5"}, (1, 32, 32)), (1, 32, 32), size, CPU) for size in (1, 11))
    grown = (large["training_memory_mb"] - small["training_memory_mb"]) * 1e6 / 10
    # The first convolution's output alone is 6 maps of 28×28 float32 numbers, kept by the tanh.
    assert 6 * 28 * 28 * 4 < grown < 20 * 6 * 28 * 28 * 4
    weights = sum(value.numel() for value in built({"name": "lenet5"}, (1, 32, 32)).state_dict().values()) * 4 / 1e6
    assert small["weights_mb"] == pytest.approx(weights, abs=0.001)


def test_a_network_that_a_library_fits_has_no_figures_of_training() -> None:
    found = costs(built({"name": "mlp_classifier", "hidden": [2]}, (4,)), (4,), 8, CPU)
    assert found["training_memory_mb"] is None and found["training_images_per_second"] is None
    assert found["inference_images_per_second"] > 0


def test_the_layers_of_lenet_are_those_of_the_paper() -> None:
    rows = layer_rows(built({"name": "lenet5"}, (1, 28, 28), size=32), (1, 28, 28))
    table = [(row["type"], row["input"], row["output"], row["maps"], row["parameters"]) for row in rows]
    assert [entry for entry in table if entry[4] or entry[0] == "AvgPool2d"] == [
        ("Conv2d", "1×32×32", "6×28×28", 6, 156),
        ("AvgPool2d", "6×28×28", "6×14×14", 6, 0),
        ("Conv2d", "6×14×14", "16×10×10", 16, 2416),
        ("AvgPool2d", "16×10×10", "16×5×5", 16, 0),
        ("Linear", "400", "120", "", 48120),
        ("Linear", "120", "84", "", 10164),
        ("Linear", "84", "10", "", 850),
    ]


def test_the_layers_of_a_transformer_hold_all_its_parameters() -> None:
    classifier = built({"name": "vit", "patch": 8, "layers": 2, "heads": 2, "width": 8}, (3, 32, 32))
    rows = layer_rows(classifier, (3, 32, 32))
    attention = [(row["input"], row["output"], row["parameters"]) for row in rows if "Attention" in row["type"]]
    assert attention == [("17×8", "17×8", 3 * (64 + 8) + 64 + 8)] * 2
    assert sum(row["parameters"] for row in rows) == sum(value.numel() for value in classifier.parameters())


def test_measuring_leaves_the_hooks_and_the_random_numbers_of_others_alone() -> None:
    classifier = built({"name": "mlp", "hidden": [6]}, (4,))
    state = torch.random.get_rng_state()
    layer_rows(classifier, (4,))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(layer._forward_hooks for layer in classifier.modules())
    assert classifier(torch.zeros(1, 4)).shape == (1, 10)
