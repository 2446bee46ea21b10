"""Training of networks that fit themselves, scikit-learn's and the perceptron: an epoch is one call of theirs."""

from collections.abc import Callable

import torch.nn.functional as F

from reprolab.core.progress import progress_bar
from reprolab.models.build import FitsItself
from reprolab.models.classifier import predict
from reprolab.training.checkpoint import TrainingState
from reprolab.training.meter import EpochMeter
from reprolab.training.record import Epoch, Fit, Start


def fit(start: Start, on_epoch: Callable[[Epoch], None]) -> Fit:
    """As `loop.fit`, but without a checkpoint, since only the network knows where it was.

    It ends after the experiment's epochs, or where the network says so. An epoch has one step, and its loss is that of
    the whole training part after it.
    """
    classifier, device = start.classifier, start.device
    settings, network = start.experiment.training, classifier.network
    assert isinstance(network, FitsItself)
    inputs, labels = start.data.train.on(device.name)
    validation = start.data.validation.on(device.name) if start.data.validation else None
    rate = settings.optimizer.options["lr"]
    state = TrainingState(classifier, keeps_snapshots=settings.snapshots, keeps_last=settings.keep == "last")
    with progress_bar(f"seed {start.seed}", settings.epochs, "epochs") as bar:
        for number in range(1, settings.epochs + 1):
            meter = EpochMeter(number)
            ended = network.fit_epoch(classifier.prepare(inputs), labels, settings, start.seed)
            logits = predict(classifier, inputs)
            meter.add(F.cross_entropy(logits, labels), logits, labels, rate)
            epoch = meter.end(classifier, validation)
            state.add(epoch, meter.losses)
            on_epoch(epoch)
            bar.update()
            if ended:
                break
    return state.result(device)
