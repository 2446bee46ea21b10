"""Losses and scores of one epoch, collected batch by batch."""

from math import isfinite
from time import perf_counter
from typing import NoReturn

import torch

from reprolab.core.errors import InputError
from reprolab.models.classifier import Classifier, predict
from reprolab.training.record import Epoch
from reprolab.training.scores import score_logits


class DivergenceError(InputError):
    """The loss or the weights are not finite any more."""


class EpochMeter:
    """All that the batches leave behind stays on the device until it is asked for."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.started = perf_counter()
        self.losses: list[torch.Tensor] = []
        self.logits: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.rates: list[float] = []
        self.checked = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, rate: float) -> None:
        self.losses.append(loss.detach())
        self.logits.append(logits.detach())
        self.labels.append(labels)
        self.rates.append(rate)

    def check(self) -> float:
        """The mean loss since the last check. Raises `DivergenceError` when one of them is not finite."""
        recent = torch.stack(self.losses[self.checked :])
        bad = recent.isfinite().logical_not().nonzero()
        if len(bad):
            self._stop("loss is", self.checked + int(bad[0]) + 1)
        self.checked = len(self.losses)
        return float(recent.mean())

    def end(self, classifier: Classifier, validation: tuple[torch.Tensor, torch.Tensor] | None) -> Epoch:
        """The epoch, scored. Raises `DivergenceError` when a loss or a weight is not finite."""
        if self.checked < len(self.losses):
            self.check()
        train = score_logits(torch.cat(self.logits), torch.cat(self.labels))
        if not all(parameter.isfinite().all() for parameter in classifier.parameters()):
            self._stop("weights are", len(self.losses))
        seconds = perf_counter() - self.started
        scores = score_logits(predict(classifier, validation[0]), validation[1]) if validation else None
        if scores and not isfinite(scores.loss):
            self._stop("validation loss is", len(self.losses))
        examples = sum(len(labels) for labels in self.labels)
        return Epoch(self.epoch, train, scores, self.rates[-1], seconds, examples / seconds)

    def _stop(self, what: str, step: int) -> NoReturn:
        raise DivergenceError(
            f"the {what} not finite in epoch {self.epoch}, step {step}, with the learning rate "
            f"{self.rates[step - 1]:g}: lower training.optimizer.lr"
        )
