"""A network with the preparation of its input: from stored examples to logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from reprolab.core.config import Experiment
from reprolab.core.errors import InputError
from reprolab.data.parts import SplitInfo
from reprolab.models.build import build_network
from reprolab.models.layers import head_of, layers_with_weights

PREDICTION_BATCH = 500  # images of 32×32 pixels; fewer of larger ones, which need as much memory

Weights = dict[str, torch.Tensor]


class Classifier(nn.Module):
    """From stored images (n, channels, height, width) uint8 or features (n, features) float32 to logits (n, classes)
    float32. `size` is the network's input in pixels, None for features; `channels` that of its input.
    `adapts_statistics` is about the batch normalisation of frozen layers."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        size: tuple[int, int] | None = None,
        channels: int = 1,
        adapts_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.channels = channels
        self.adapts_statistics = adapts_statistics
        shape = (1, -1, 1, 1) if size else (1, -1)
        self.register_buffer("mean", torch.tensor(mean).view(shape))
        self.register_buffer("std", torch.tensor(std).view(shape))

    def prepare(self, inputs: torch.Tensor) -> torch.Tensor:
        """Images: scale to 0–1, resize, repeat a grey channel. Then, and for features at once, normalise."""
        if self.size is None:
            return (inputs - self.mean) / self.std
        scaled = inputs.float() / 255
        if tuple(inputs.shape[-2:]) != self.size:
            scaled = F.interpolate(scaled, self.size, mode="bilinear", antialias=True)
        if inputs.shape[1] != self.channels:
            scaled = scaled.expand(-1, self.channels, -1, -1)
        return (scaled - self.mean) / self.std

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        prepared = self.prepare(inputs)
        if self.size:
            prepared = prepared.contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = self.network(prepared)
        return logits.float()

    def trained_parameters(self) -> list[nn.Parameter]:
        """Those that are not frozen."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def train(self, mode: bool = True) -> "Classifier":
        """Frozen layers stay as they are when the rest trains: batch normalisation keeps its statistics, unless these
        are to adapt."""
        super().train(mode)
        for layer in [] if self.adapts_statistics else layers_with_weights(self.network):
            if not any(parameter.requires_grad for parameter in layer.parameters()):
                layer.eval()
        return self


def build_classifier(experiment: Experiment, info: SplitInfo) -> Classifier:
    """A freshly initialised classifier, its frozen layers marked, with its weights channels-last, which is faster
    on CPUs and GPUs.

    Raises `InputError` when the experiment does not fit the data.
    """
    settings = experiment.input
    if not info.holds_images:
        given = [name for name in ("size", "channels", "crop_padding", "flip") if getattr(settings, name)]
        if given:
            raise InputError(f"input.{given[0]}: '{info.dataset}' holds features, not images; remove this key")
        size, channels, shape = None, info.shape[0], tuple(info.shape)
    else:
        stored, height, width = info.shape
        if settings.channels and stored not in (1, settings.channels):
            raise InputError(f"input.channels: the images of '{info.dataset}' have {stored} channels; remove this key")
        if 2 * settings.crop_padding > min(height, width):
            raise InputError(
                f"input.crop_padding: found {settings.crop_padding}, more than half a side of the images of "
                f"'{info.dataset}', which have {height}×{width} pixels"
            )
        size = (settings.size, settings.size) if settings.size else (height, width)
        channels = settings.channels or stored
        shape = (channels, *size)
    for key, given_numbers in (("mean", settings.mean), ("std", settings.std)):
        if given_numbers and len(given_numbers) != channels:
            what = "channel(s)" if size else "features"
            raise InputError(
                f"input.{key}: found {len(given_numbers)} number(s), but the inputs of '{info.dataset}' have "
                f"{channels} {what}"
            )
    network = build_network(experiment.model, shape, len(info.classes))
    mean, std = (list(settings.mean or info.mean), list(settings.std or info.std))
    if len(mean) < channels:
        mean, std = mean * channels, std * channels
    classifier = Classifier(network, mean, std, size, channels, experiment.frozen_statistics == "adapting")
    freeze(network, experiment)
    return classifier.to(memory_format=torch.channels_last) if size else classifier


def freeze(network: nn.Module, experiment: Experiment) -> None:
    """Mark the parameters that do not train. Raises `InputError` when there are fewer layers than are to train."""
    if experiment.freeze == "none":
        return
    head = {id(parameter) for parameter in head_of(network).parameters()}
    body = [
        layer
        for layer in layers_with_weights(network)
        if not head & {id(parameter) for parameter in layer.parameters(recurse=False)}
    ]
    trained = 0 if experiment.freeze == "all-but-head" else experiment.freeze.all_but_last
    if trained > len(body):
        raise InputError(
            f"freeze.all_but_last: found {trained}, but '{experiment.model.name}' has {len(body)} layers with weights "
            "before its head"
        )
    for layer in body[: len(body) - trained]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)


@torch.inference_mode()
def predict(classifier: Classifier, inputs: torch.Tensor) -> torch.Tensor:
    """Logits (n, classes) in float32 for inputs of any number, on the inputs' device."""
    classifier.eval()
    height, width = classifier.size or (1, 1)
    batch_size = max(1, min(PREDICTION_BATCH, PREDICTION_BATCH * 32 * 32 // (height * width)))
    return torch.cat([classifier(batch) for batch in inputs.split(batch_size)])
