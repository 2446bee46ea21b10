"""The processor and the precision of a training."""

import pytest
import torch

from reprolab.core.errors import InputError
from reprolab.training.device import Device, choose_device
from tests.factories import make_split_info

IMAGES, FEATURES = make_split_info((1, 8, 8)), make_split_info([4])


def test_the_environment_chooses_device_and_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for precision in ("float32", "bfloat16"):
        monkeypatch.setenv("REPROLAB_PRECISION", precision)
        assert choose_device(IMAGES) == Device("cpu", precision)
    monkeypatch.setenv("REPROLAB_PRECISION", "float16")
    with pytest.raises(InputError, match="REPROLAB_PRECISION: found 'float16'; allowed: float32, bfloat16"):
        choose_device(IMAGES)
    monkeypatch.setenv("REPROLAB_DEVICE", "tpu")
    with pytest.raises(InputError, match="REPROLAB_DEVICE: found 'tpu'; this machine has: "):
        choose_device(IMAGES)


def test_features_are_always_trained_on_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_PRECISION", "bfloat16")
    assert choose_device(FEATURES) == Device("cpu", "float32")
    monkeypatch.setenv("REPROLAB_PRECISION", "float16")
    with pytest.raises(InputError, match="REPROLAB_PRECISION: found 'float16'"):
        choose_device(FEATURES)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({"avx512f": True}, "float32")],
)
def test_a_processor_that_computes_in_bfloat16_does_so(
    capabilities: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_device(IMAGES) == Device("cpu", precision)


def test_a_pytorch_that_does_not_know_its_processor_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_device(IMAGES) == Device("cpu", "float32")


def test_autocast_is_on_in_bfloat16_alone() -> None:
    layer, inputs = torch.nn.Linear(2, 2), torch.zeros(1, 2)
    for precision, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Device("cpu", precision).autocast():
            assert layer(inputs).dtype == expected
