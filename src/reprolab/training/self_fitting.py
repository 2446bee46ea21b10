"""Training of networks that fit themselves, scikit-learn's and the perceptron: an epoch is one call of theirs."""

from collections.abc import Callable

import torch.nn.functional as F

from reprolab.core.config import Experiment
from reprolab.core.progress import progress_bar
from reprolab.data.parts import TrainingData
from reprolab.models.build import FitsItself
from reprolab.models.classifier import Classifier, predict
from reprolab.training.checkpoint import TrainingState
from reprolab.training.device import Device
from reprolab.training.meter import EpochMeter
from reprolab.training.record import Epoch, Fit


def fit(
    classifier: Classifier,
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    device: Device,
    on_epoch: Callable[[Epoch], None],
) -> Fit:
    """As `loop.fit`, but without a checkpoint, since only the network knows where it was.

    It ends after the experiment's epochs, or where the network says so. An epoch has one step, and its loss is that of
    the whole training part after it.
    """
    settings, network = experiment.training, classifier.network
    assert isinstance(network, FitsItself)
    inputs, labels = data.train.on(device.name)
    validation = data.validation.on(device.name) if data.validation else None
    rate = settings.optimizer.options["lr"]
    state = TrainingState(classifier, keeps_snapshots=settings.snapshots, keeps_last=settings.keep == "last")
    with progress_bar(f"seed {seed}", settings.epochs, "epochs") as bar:
        for number in range(1, settings.epochs + 1):
            meter = EpochMeter(number)
            ended = network.fit_epoch(classifier.prepare(inputs), labels, settings, seed)
            logits = predict(classifier, inputs)
            meter.add(F.cross_entropy(logits, labels), logits, labels, rate)
            epoch = meter.end(classifier, validation)
            state.add(epoch, meter.losses)
            on_epoch(epoch)
            bar.update()
            if ended:
                break
    return state.result(device)
