"""Train one seed of an experiment: the one way in, for a stage as for whatever else trains."""

from collections.abc import Callable
from pathlib import Path

import torch

from reprolab.core.config import Experiment
from reprolab.data.parts import TrainingData
from reprolab.data.streams import stream
from reprolab.models.build import FitsItself, resolve_experiment
from reprolab.models.classifier import build_classifier
from reprolab.models.pretrained import PretrainedWeights, start_from
from reprolab.training import loop, self_fitting
from reprolab.training.device import choose_device
from reprolab.training.record import Epoch, Fit, Start


def train(
    experiment: Experiment,
    data: TrainingData,
    pretrained: PretrainedWeights | None,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Start from `pretrained`, all but the head, or from random weights, and end with those of the best epoch.

    The best epoch is that of the highest validation accuracy, and the last one where there is no validation part. A
    training that was interrupted goes on from the file `checkpoint`. Raises `DivergenceError` when the loss or the
    weights are not finite, and `InputError` when the experiment's options are wrong or it does not fit the data.
    """
    return fit(prepare(experiment, data, pretrained, seed), checkpoint, on_epoch)


def prepare(experiment: Experiment, data: TrainingData, pretrained: PretrainedWeights | None, seed: int) -> Start:
    """The classifier as a training finds it, on the device that its kind is trained on."""
    experiment = resolve_experiment(experiment, "experiment")
    torch.manual_seed(pretrained.head_stream(seed) if pretrained else stream(seed, "initialisation"))
    classifier = build_classifier(experiment, data.info)
    if pretrained:
        start_from(pretrained, classifier, experiment)
    device = choose_device(classifier, data.info)
    device.use()
    return Start(classifier.to(device.name), device, experiment, data, seed)


def fit(start: Start, checkpoint: Path | None = None, on_epoch: Callable[[Epoch], None] = lambda epoch: None) -> Fit:
    """From the start's weights, by the loop or by the network itself."""
    if isinstance(start.classifier.network, FitsItself):
        return self_fitting.fit(start, on_epoch)
    return loop.fit(start, checkpoint, on_epoch)
