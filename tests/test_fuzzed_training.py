"""What is accepted is split, trains and is evaluated, or stops with a message, whatever its numbers are."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reprolab.data.parts import TrainingData, load_training_data
from reprolab.data.split import make_split
from reprolab.evaluation.evaluate import evaluate
from reprolab.evaluation.network_figures import experiment_figures
from reprolab.models.classifier import build_classifier
from reprolab.models.folder import ModelInfo
from reprolab.training.outputs import curve_points, save_metrics, save_model, train_record
from reprolab.training.run import train
from tests.factories import make_experiment, make_points, make_source, params_settings
from tests.fuzzing import DOCUMENTS, fuzzed, params_of, refused

LARGEST = 200_000  # parameters of what is trained here

small = st.integers(1, 20)
padding = st.sampled_from([0, 1, 2, 4, 5, 100])
share = st.one_of(st.sampled_from([0.0, 1e-9, 0.999999]), st.floats(0, 1, exclude_max=True))
rate = st.one_of(st.sampled_from([1e-12, 1e-3, 1.0, 1000.0]), st.floats(1e-12, 1000))
decay = st.one_of(st.sampled_from([0.0, 1000.0]), st.floats(0, 1000))
number = st.one_of(st.sampled_from([0.0, 0.5, 1e-6, 1e6]), st.floats(1e-6, 1e6))
MODELS = st.one_of(
    st.builds(lambda hidden: {"name": "mlp", "hidden": hidden}, st.lists(small, max_size=8)),
    st.builds(lambda hidden: {"name": "mlp_classifier", "hidden": hidden}, st.lists(small, max_size=4)),
    st.builds(lambda padding: {"name": "lenet5", "padding": padding}, padding),
    st.builds(lambda dropout: {"name": "cnn", "dropout": dropout}, share),
    st.builds(
        lambda **options: {"name": "vit"} | options, patch=small, layers=st.integers(1, 2), heads=small, width=small
    ),
    st.builds(lambda widths: {"name": "speedrun", "widths": widths}, st.lists(small, min_size=3, max_size=3)),
    st.just({"name": "perceptron"}),
)
OPTIMIZERS = st.one_of(
    st.builds(lambda **o: {"name": "sgd"} | o, lr=rate, momentum=share, weight_decay=decay),
    st.builds(lambda **o: {"name": "adam"} | o, lr=rate, weight_decay=decay),
    st.builds(lambda **o: {"name": "muon"} | o, lr=rate, rest_lr=rate, momentum=share, weight_decay=decay),
)
SCHEDULES = st.one_of(
    st.just({"name": "constant"}),
    st.builds(lambda **o: {"name": "step"} | o, every=small, factor=st.floats(1e-6, 10)),
    st.builds(lambda **o: {"name": "one_cycle"} | o, warmup=st.floats(0, 1, exclude_min=True, exclude_max=True)),
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(1, 40),
        "channels": st.just(3),
        "crop_padding": padding,
        "flip": st.booleans(),
        "mean": st.lists(number, min_size=1, max_size=3),
        "std": st.lists(number.filter(bool), min_size=1, max_size=3),
    },
)
TRAININGS = st.fixed_dictionaries(
    {
        "epochs": st.integers(1, 3),
        "batch_size": st.sampled_from([1, 7, 60, 1_000_000]),
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
        "snapshots": st.booleans(),
        "data": st.sampled_from(["train", "train+validation"]),
    }
)


def run(
    model: dict[str, Any], inputs: dict[str, Any], training: dict[str, Any], data: TrainingData, folder: Path
) -> None:
    if ("mean" in inputs) != ("std" in inputs) or len(inputs.get("mean", [])) != len(inputs.get("std", [])):
        inputs = {name: value for name, value in inputs.items() if name not in ("mean", "std")}
    experiment = make_experiment(training, model=model, input=inputs)
    with torch.device("meta"):
        classifier = build_classifier(experiment, data.info)
    if sum(parameter.numel() for parameter in classifier.parameters()) > LARGEST:
        return
    fits = {0: train(experiment, data, None, 0)}
    save_model(folder / "model", ModelInfo(name="fuzzed", experiment=experiment, split=data.info), fits)
    save_metrics(folder / "metrics", fits, train_record(fits, {0: "a" * 64}))
    evaluation = evaluate(folder / "model", data.train)
    evaluation.record().save(folder / "metrics" / "test.json")
    assert experiment_figures("fuzzed", folder / "model", curve_points(fits), data.train, evaluation)


@pytest.fixture
def images(split_folder: Path) -> Path:
    return split_folder


@fuzzed(DOCUMENTS // 4)
@given(MODELS, INPUTS, TRAININGS)
def test_images(images: Path, tmp_path: Path, model: Any, inputs: Any, training: Any) -> None:
    data = load_training_data(images, training["data"])
    with warnings.catch_warnings(action="ignore"):
        refused(lambda: run(model, inputs, training, data, tmp_path))


@fuzzed(DOCUMENTS // 4)
@given(MODELS, INPUTS, TRAININGS)
def test_features(tmp_path: Path, model: Any, inputs: Any, training: Any) -> None:
    with warnings.catch_warnings(action="ignore"):
        refused(lambda: run(model, inputs, training, make_points(30), tmp_path))


SIZES = st.one_of(
    st.none(),
    st.sampled_from([5e-324, 1e-9, 0.5, 0.999999999, 1, 2, 3, 59, 60, 61, 10**9]),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.integers(1, 70),
)


@fuzzed(DOCUMENTS)
@given(SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.integers(0, 2**31 - 1))
def test_splits(test: Any, validation: Any, train: Any, balanced: bool, published: bool, seed: int) -> None:
    source = make_source()
    if not published:
        source = replace(source, test_inputs=None, test_labels=None)
    sizes = {"test": test, "validation": validation, "train": train}
    settings = {name: size for name, size in sizes.items() if size is not None} | {"balanced": balanced, "seed": seed}
    document = params_settings({"small": {}})
    document["datasets"]["digits"]["split"] = settings
    # As the stage does: all of params.yaml, then the split.
    refused(lambda: make_split(source, params_of(document).dataset("digits").split))
