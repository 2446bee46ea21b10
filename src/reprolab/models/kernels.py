"""Layers that compute what PyTorch's do, up to rounding, in ways that are faster on a CPU.

PyTorch's dropout draws one random number after another; oneDNN lacks fast kernels for some gradients of depthwise
convolutions; flash attention is made for long sequences; the gradient of a map's mean comes in another layout than the
map, and that of a 2×2 average one value after another. Outside of training, and on other devices, the layers are
PyTorch's own.
"""

from math import ceil, sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

FAST_COLUMNS = 3  # the widest depthwise kernel whose gradient oneDNN has a fast kernel for
SHORT = 256  # words of a sequence up to which products of matrices are faster than flash attention


class Dropout(nn.Dropout):
    """The mask comes from PyTorch's global generator, 16 bits a value: the rate is a multiple of 2⁻¹⁶."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self._applies(input):
            return super().forward(input)
        words = torch.empty(ceil(input.numel() / 4), dtype=torch.int64).random_(-(2**63), None)
        # In the layout of the input, or their product would be slow.
        draws = words.view(torch.int16).as_strided(input.shape, torch.empty_like(input, device="meta").stride())
        mask = draws.ge_(round(self.p * 2**16) - 2**15).to(input.dtype)
        return input * mask.div_(1 - self.p)

    def _applies(self, input: torch.Tensor) -> bool:
        return self.training and input.device.type == "cpu" and 0 < self.p < 1


class DepthwiseConv2d(nn.Conv2d):
    """A convolution of each channel by itself, without bias."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        output: torch.Tensor = _Depthwise.apply(
            input.to(precision), self.weight.to(precision), self.stride, self.padding
        )
        return output


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, weight: torch.Tensor, stride: Any, padding: Any) -> torch.Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(input, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        input, weight = ctx.saved_tensors
        of_input, of_weight = None, None
        if ctx.needs_input_grad[0]:
            # With a stride, bfloat16 takes up to a hundred times as long.
            precision = input.dtype if set(ctx.stride) == {1} else torch.float32
            values = gradient.to(precision), torch.empty_like(input, dtype=precision), weight.to(precision)
            of_input = _gradient(*values, ctx.stride, ctx.padding, 0).to(input.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, input, weight, ctx.stride, ctx.padding)
        return of_input, of_weight, None, None


def _weight_gradient(
    gradient: torch.Tensor, input: torch.Tensor, weight: torch.Tensor, stride: Any, padding: Any
) -> torch.Tensor:
    """A few columns of the kernel at a time: each group meets its own part of the padded input."""
    if weight.shape[3] <= FAST_COLUMNS:
        return _gradient(gradient, input, weight, stride, padding, 1)
    above, left = padding
    padded = F.pad(input, (left, left, above, above))
    covered = (gradient.shape[3] - 1) * stride[1]
    parts, start = [], 0
    for columns in weight.tensor_split(ceil(weight.shape[3] / FAST_COLUMNS), dim=3):
        width = columns.shape[3]
        met = padded[..., start : start + covered + width].contiguous(memory_format=torch.channels_last)
        parts.append(_gradient(gradient, met, columns, stride, (0, 0), 1))
        start += width
    return torch.cat(parts, 3)


def _gradient(
    gradient: torch.Tensor, input: torch.Tensor, weight: torch.Tensor, stride: Any, padding: Any, wanted: int
) -> torch.Tensor:
    """That of the input (`wanted` 0) or of the weight (1)."""
    mask = [wanted == 0, wanted == 1, False]
    result = torch.ops.aten.convolution_backward(
        gradient, input, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), mask
    )[wanted]
    assert isinstance(result, torch.Tensor)
    return result


class MultiheadAttention(nn.MultiheadAttention):
    """Self-attention, where only its result is asked for."""

    def forward(  # type: ignore[override]
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        simple = query is key is value and options == {"need_weights": False}
        if not (self.training and query.device.type == "cpu" and simple and query.shape[1] <= SHORT):
            return super().forward(query, key, value, **options)
        examples, words, width = query.shape
        projected = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        queries, keys, values = projected.view(examples, words, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        weights = (queries @ keys.transpose(2, 3) / sqrt(self.head_dim)).softmax(3)
        return self.out_proj((weights @ values).transpose(1, 2).reshape(examples, words, width)), None


class MeanOfMap(nn.AdaptiveAvgPool2d):
    """The mean of each channel's map (n, c, 1, 1)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        return input.sum((2, 3), keepdim=True) / (input.shape[2] * input.shape[3])


class MeanOfFour(nn.AvgPool2d):
    """Each 2×2 square's mean."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or input.device.type != "cpu" or any(side % 2 for side in input.shape[2:]):
            return super().forward(input)
        output: torch.Tensor = _MeanOfFour.apply(input)
        return output


class _MeanOfFour(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(input, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return F.interpolate(gradient / 4, scale_factor=2, mode="nearest")


def use_fast_layers(network: nn.Module) -> None:
    """Let the network's layers be their faster twins where there are any; their parameters and names stay."""
    for layer in network.modules():
        match layer:
            case nn.Dropout():
                layer.__class__ = Dropout
            case nn.Conv2d(bias=None, dilation=(1, 1), padding_mode="zeros") if (
                layer.groups == layer.in_channels == layer.out_channels > 1
            ):
                layer.__class__ = DepthwiseConv2d
            case nn.MultiheadAttention(batch_first=True, dropout=0.0):
                layer.__class__ = MultiheadAttention
            case nn.AdaptiveAvgPool2d(output_size=1 | (1, 1)):
                layer.__class__ = MeanOfMap
            case nn.AvgPool2d(
                kernel_size=2, stride=2, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
            ):
                layer.__class__ = MeanOfFour
            case nn.SiLU() | nn.ReLU6():
                # In place they first copy their input, for the backward pass.
                layer.inplace = False
