"""The training loop: gradient descent, batch by batch, from a network's start to its best epoch.

The randomness of an epoch depends on the seed and the epoch's number alone, so a run that was killed and resumed from
its checkpoint ends with the same weights as one that was not.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from reprolab.core.progress import progress_bar
from reprolab.data.batches import Batches
from reprolab.data.streams import stream
from reprolab.training.checkpoint import Checkpoint, TrainingState
from reprolab.training.meter import EpochMeter
from reprolab.training.record import Epoch, Fit, Start

CHECK_EVERY_STEPS = 20


def fit(start: Start, checkpoint: Path | None, on_epoch: Callable[[Epoch], None]) -> Fit:
    """Train the classifier on its device; go on from the file `checkpoint` where it exists.

    Raises `DivergenceError` when the loss or the weights are not finite.
    """
    classifier, device, data, seed = start.classifier, start.device, start.data, start.seed
    settings = start.experiment.training
    batches = Batches(data.train, settings.batch_size, start.experiment.input, device.name)
    validation = data.validation.on(device.name) if data.validation else None
    optimizer = settings.optimizer.bind("training.optimizer")(classifier.trained_parameters())
    schedule = settings.schedule.bind("training.schedule")(optimizer, settings.epochs, len(batches))
    loss_of = settings.loss.bind("training.loss")()
    state = TrainingState(classifier, optimizer, schedule, settings.snapshots, settings.keep == "last")

    with Checkpoint(checkpoint, state, device) as saved:
        for number in range(len(state.epochs) + 1, settings.epochs + 1):
            torch.manual_seed(stream(seed, "dropout", number))
            meter = EpochMeter(number)
            classifier.train()
            with progress_bar(f"seed {seed}, epoch {number}/{settings.epochs}", len(data.train), "examples") as bar:
                for inputs, labels in batches.epoch(seed, number):
                    with device.autocast():
                        logits = classifier(inputs)
                    loss = loss_of(logits, labels)
                    optimizer.zero_grad()
                    loss.backward()
                    meter.add(loss, logits, labels, float(schedule.get_last_lr()[0]))
                    optimizer.step()
                    schedule.step()
                    bar.update(len(labels))
                    if len(meter.losses) % CHECK_EVERY_STEPS == 0:
                        bar.set_postfix(loss=f"{meter.check():.4f}")
            epoch = meter.end(classifier, validation)
            state.add(epoch, meter.losses)
            saved.epoch_ended()
            on_epoch(epoch)

    return state.result(device)
