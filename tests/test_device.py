"""The processor, the precision and the number of threads of a training."""

import math
import platform

import pytest
import torch
from threadpoolctl import threadpool_info

import reprolab.training.device as module
from reprolab.core.errors import InputError
from reprolab.data.parts import SplitInfo
from reprolab.models.classifier import Classifier
from reprolab.training.device import SMALL, Device, choose_device, multiply_adds, processor
from tests.factories import make_classifier, make_experiment, make_model_info, make_split_info

IMAGES = make_split_info((1, 8, 8))
CAN_BFLOAT16 = {"avx512_bf16": True}


@pytest.fixture
def classifier() -> Classifier:
    return make_classifier(make_model_info(split=IMAGES))


def of_examples(examples: int) -> SplitInfo:
    return IMAGES.model_copy(update={"sizes": {**IMAGES.sizes, "train": examples}})


def large(classifier: Classifier) -> SplitInfo:
    """The smallest data with which the classifier's training is not small."""
    return of_examples(math.ceil(SMALL / multiply_adds(classifier, IMAGES)))


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        ({"name": "mlp", "hidden": [8]}, None, (64 * 8 + 8) + (8 * 3 + 3)),
        (
            {"name": "lenet5"}, 32,
            156 * 28 * 28 + 2416 * 10 * 10 + (400 * 120 + 120) + (120 * 84 + 84) + (84 * 3 + 3),
        ),
    ],
    ids=["mlp", "lenet5"],
)  # fmt: skip
def test_multiply_adds_are_the_weights_times_the_places_where_they_are_used(
    model: dict[str, object], size: int | None, expected: int
) -> None:
    classifier = make_classifier(make_model_info(make_experiment(model=model, input={"size": size}), IMAGES))
    assert multiply_adds(classifier, IMAGES) == expected
    assert not any(layer._forward_hooks for layer in classifier.modules())


def test_multiply_adds_of_features_and_of_a_library_s_network() -> None:
    features = make_split_info([4])
    for model in ("mlp", "mlp_classifier"):
        experiment = make_experiment(model={"name": model, "hidden": [8]})
        found = multiply_adds(make_classifier(make_model_info(experiment, features)), features)
        assert found == (4 * 8 + 8) + (8 * 3 + 3)


def test_counting_leaves_the_random_numbers_of_others_alone(classifier: Classifier) -> None:
    state = torch.random.get_rng_state()
    multiply_adds(classifier, IMAGES)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_small_training_gets_one_thread_and_float32_and_a_large_one_all_and_bfloat16(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: CAN_BFLOAT16, raising=False)
    monkeypatch.setattr(module, "ALL_THREADS", 12)
    assert choose_device(classifier, large(classifier)) == Device("cpu", "bfloat16", 12)
    one_less = of_examples(large(classifier).sizes["train"] - 1)
    assert choose_device(classifier, one_less) == Device("cpu", "float32", 1)


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_environment_chooses_device_precision_and_threads(
    classifier: Classifier, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = IMAGES if size == "small" else large(classifier)
    monkeypatch.setenv("REPROLAB_THREADS", "3")
    for precision in ("float32", "bfloat16"):
        monkeypatch.setenv("REPROLAB_PRECISION", precision)
        assert choose_device(classifier, data) == Device("cpu", precision, 3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PRECISION", "float16", "found 'float16'; allowed: float32, bfloat16"),
        ("DEVICE", "tpu", "found 'tpu'; this machine has: "),
        ("THREADS", "0", "found '0'; it should be a whole number from 1 to 1024"),
        ("THREADS", "1025", "found '1025'; it should be a whole number"),
        ("THREADS", "-1", "found '-1'; it should be a whole number"),
        ("THREADS", "two", "found 'two'; it should be a whole number"),
        ("THREADS", "²", "found '²'; it should be a whole number"),
        ("THREADS", "1.5", "found '1.5'; it should be a whole number"),
    ],
)
def test_what_the_environment_cannot_choose_is_refused(
    classifier: Classifier, name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"REPROLAB_{name}", value)
    with pytest.raises(InputError, match=f"REPROLAB_{name}: {message}"):
        choose_device(classifier, IMAGES)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({"avx512f": True}, "float32")],
)
def test_a_processor_that_computes_in_bfloat16_does_so(
    classifier: Classifier, capabilities: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_device(classifier, large(classifier)).precision == precision


def test_a_pytorch_that_does_not_know_its_processor_computes_in_float32(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_device(classifier, large(classifier)).precision == "float32"


def test_a_device_gives_pytorch_and_numpy_its_threads() -> None:
    for threads in (2, 1):
        Device("cpu", "float32", threads).use()
        assert torch.get_num_threads() == threads
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} <= {threads}


def test_the_choice_is_the_same_whatever_was_used_before(classifier: Classifier) -> None:
    first = choose_device(classifier, large(classifier))
    torch.set_num_threads(7)
    assert choose_device(classifier, large(classifier)) == first


def test_autocast_is_on_in_bfloat16_alone() -> None:
    layer, inputs = torch.nn.Linear(2, 2), torch.zeros(1, 2)
    for precision, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Device("cpu", precision, 1).autocast():
            assert layer(inputs).dtype == expected


def test_the_processor_has_a_name_that_stays() -> None:
    assert processor("cpu") and processor("cpu") == processor("cpu")
    if platform.machine() == "x86_64" and platform.system() == "Linux":
        assert "cpu family" in processor("cpu")
