"""Layers that are faster on CPUs: the same results as PyTorch's, forwards and backwards."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reprolab.models.kernels import use_fast_layers

PRECISIONS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def fast(layer: nn.Module) -> nn.Module:
    use_fast_layers(nn.Sequential(layer))
    return layer


def both_results(
    make: Callable[[], nn.Module], shape: tuple[int, ...], precision: torch.dtype, run: Callable[..., torch.Tensor]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The output, the gradient of the input and those of the parameters: of PyTorch's layer, and of the faster one."""
    results = []
    for change in (lambda layer: layer, fast):
        torch.manual_seed(0)
        layer = change(make().to(memory_format=torch.channels_last) if len(shape) == 4 else make())
        inputs = torch.randn(shape)
        inputs = inputs.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else inputs
        inputs.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
            output = run(layer, inputs)
        output.float().square().sum().backward()
        gradients = [value.grad for value in (inputs, *layer.parameters()) if value.grad is not None]
        results.append([output.detach(), *gradients])
    return results[0], results[1]


def assert_close(found: list[torch.Tensor], expected: list[torch.Tensor], tolerance: float) -> None:
    assert len(found) == len(expected) > 1
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert (one.float() - other.float()).norm() <= tolerance * other.float().norm()


def plainly(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    output: torch.Tensor = layer(inputs)
    return output


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side"),
    [(3, 1, 1, 8), (3, 2, 1, 8), (3, 2, 1, 7), (5, 1, 2, 4), (5, 2, 2, 9), (5, 2, 2, 8), (7, 1, 3, 8), (4, 1, 0, 6)],
)
def test_a_depthwise_convolution_is_pytorchs(
    kernel: int, stride: int, padding: int, side: int, precision: torch.dtype
) -> None:
    def make() -> nn.Module:
        return nn.Conv2d(16, 16, kernel, stride, padding, groups=16, bias=False)

    assert type(fast(make())) is not nn.Conv2d
    found, expected = both_results(make, (3, 16, side, side + 1), precision, plainly)[::-1]
    assert_close(found, expected, PRECISIONS[precision])


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(4, 8, 3, groups=4, bias=False),
        nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 4, 3, groups=4, bias=False, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False, padding_mode="reflect"),
        nn.Conv2d(1, 1, 3, bias=False),
    ],
)
def test_other_convolutions_stay_pytorchs(convolution: nn.Conv2d) -> None:
    assert type(fast(convolution)) is nn.Conv2d


@pytest.mark.parametrize("precision", PRECISIONS)
def test_attention_is_pytorchs(precision: torch.dtype) -> None:
    def attend(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = layer(inputs, inputs, inputs, need_weights=False)[0]
        return output

    found, expected = both_results(
        lambda: nn.MultiheadAttention(24, 4, batch_first=True), (3, 17, 24), precision, attend
    )[::-1]
    assert_close(found, expected, PRECISIONS[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "layer",
    [nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1)), nn.AvgPool2d(2), nn.SiLU(True), nn.ReLU6(True)],
)
def test_layers_without_weights_are_pytorchs(layer: nn.Module, precision: torch.dtype) -> None:
    def run(changed: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = changed(inputs.to(precision) * 3)
        return output

    for sides in ((5, 7), (4, 6)):
        found, expected = both_results(lambda: layer, (3, 16, *sides), precision, run)
        assert_close(found, expected, PRECISIONS[precision])


def test_the_gradient_of_a_mean_has_the_layout_of_its_map() -> None:
    inputs = torch.randn(3, 16, 5, 7).contiguous(memory_format=torch.channels_last).requires_grad_()
    maps, strides = inputs * 1, []
    maps.register_hook(lambda gradient: strides.append(gradient.stride(1)))
    fast(nn.AdaptiveAvgPool2d(1))(maps).sum().backward()
    assert strides == [1]


# Dropout


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_rate_and_the_mean(rate: float, precision: torch.dtype) -> None:
    torch.manual_seed(0)
    count = 1_000_001
    output = fast(nn.Dropout(rate))(torch.ones(count, dtype=precision)).float()
    deviation = (rate * (1 - rate) / count) ** 0.5
    assert abs(float((output == 0).float().mean()) - rate) < 5 * deviation
    kept = output[output != 0].unique()
    assert len(kept) == 1 and float(kept) == pytest.approx(1 / (1 - rate), rel=4e-3)


def test_dropout_is_that_of_the_seed_and_new_each_time() -> None:
    layer, ones = fast(nn.Dropout(0.5)), torch.ones(1000)
    torch.manual_seed(1)
    first, second = layer(ones), layer(ones)
    torch.manual_seed(1)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(first, second)
    torch.manual_seed(2)
    assert not torch.equal(layer(ones), first)


def test_dropout_is_independent_between_values() -> None:
    torch.manual_seed(0)
    dropped = (fast(nn.Dropout(0.5))(torch.ones(400_000)) == 0).float() - 0.5
    for lag in (1, 2, 3, 4, 8):
        assert abs(float((dropped[lag:] * dropped[:-lag]).mean())) < 5 * 0.25 / 400_000**0.5


def test_dropout_gives_its_gradient_to_what_it_kept() -> None:
    torch.manual_seed(0)
    inputs = torch.ones(5, 16, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    output = fast(nn.Dropout(0.25))(inputs)
    assert output.is_contiguous(memory_format=torch.channels_last)
    output.sum().backward()
    assert inputs.grad is not None and torch.equal(inputs.grad, output.detach())


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True), (1.0, True)])
def test_dropout_without_chance_is_pytorchs(rate: float, training: bool) -> None:
    inputs = torch.randn(100)
    layer = fast(nn.Dropout(rate)).train(training)
    before = torch.get_rng_state() if rate < 1 else None
    assert torch.equal(layer(inputs), F.dropout(inputs, rate, training))
    assert before is None or torch.equal(torch.get_rng_state(), before)
