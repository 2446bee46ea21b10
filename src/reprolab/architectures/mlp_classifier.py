"""scikit-learn's `MLPClassifier` as a network like the others: scikit-learn trains its weights.

The lab sheet module7 uses it on the quality of red wines. Epoch by epoch it is trained as by scikit-learn's `fit`, to
the last bit, and ends where `fit` ends. The same architecture trained by gradients is `mlp`; the two differ in the
initialisation, in the last layer for two classes, and in the weight decay, which scikit-learn divides by the number of
examples in a batch.
"""

from contextlib import suppress
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from reprolab.core.bounds import Widths
from reprolab.core.config import RANDOM, Experiment, Training


class MlpClassifier(nn.Module):
    """Hidden layers with ReLU, then logits; for two classes one logit z, as scikit-learn has it, given as (0, z)."""

    def __init__(self, features: int, hidden: list[int], classes: int) -> None:
        super().__init__()
        self.classes = classes
        widths = [features, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1 if classes == 2 else classes))
        self.hidden = hidden
        self.estimator: Any = None
        self.generator: Any = None
        self.order = np.arange(0)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(inputs)
        return torch.cat([torch.zeros_like(logits), logits], 1) if self.classes == 2 else logits

    def fit_epoch(self, inputs: torch.Tensor, labels: torch.Tensor, training: Training, seed: int) -> bool:
        """One pass over `inputs` (n, *shape), after which the layers hold scikit-learn's weights.

        The first call starts anew from `seed`. True where `fit` would stop: its loss no longer falls.
        """
        from sklearn.utils import shuffle

        rows, targets = inputs.detach().flatten(1).double().cpu().numpy(), labels.cpu().numpy()
        if self.estimator is None:
            self._start(rows, targets, training, seed)
        # `fit` shuffles the order of the epoch before, where each `partial_fit` would shuffle that of the rows.
        self.order = shuffle(self.order, random_state=self.generator)
        try:
            self.estimator.partial_fit(rows[self.order], targets[self.order], classes=np.arange(self.classes))
        except ValueError:
            # Weights that are not finite are taken over: the training loop stops, and says at which learning rate.
            if all(np.isfinite(values).all() for values in getattr(self.estimator, "coefs_", [])):
                raise
        linear = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weights, biases in zip(linear, self.estimator.coefs_, self.estimator.intercepts_, strict=True):
                layer.weight.copy_(torch.from_numpy(weights.T))
                layer.bias.copy_(torch.from_numpy(biases))
        return _has_stopped(self.estimator)

    def _start(self, rows: np.ndarray, targets: np.ndarray, training: Training, seed: int) -> None:
        """Make the estimator, and the generator of its orders as `fit` has it: past the draw of the first weights."""
        from sklearn.utils import check_random_state

        self.generator = check_random_state(seed)
        with suppress(ValueError):  # as below, but these weights are not used
            _make_estimator(self.hidden, training, len(rows), self.generator).partial_fit(
                rows, targets, classes=np.arange(self.classes)
            )
        self.estimator = _make_estimator(self.hidden, training, len(rows), seed)
        self.order = np.arange(len(rows))


def build(shape: tuple[int, ...], classes: int, *, hidden: Widths) -> nn.Module:
    """`hidden` lists the widths of the hidden layers; [2, 2] on 11 features and two classes has 33 parameters."""
    return MlpClassifier(prod(shape), hidden, classes)


def check(experiment: Experiment) -> None:
    """Raises ValueError for settings that scikit-learn's training does not know."""
    training = experiment.training
    unknown = {
        f"init_from '{experiment.init_from}'": experiment.init_from != RANDOM,
        "input.crop_padding": experiment.input.crop_padding > 0,
        "input.flip": experiment.input.flip,
        f"training.optimizer '{training.optimizer.name}'": training.optimizer.name not in ("sgd", "adam"),
        f"training.schedule '{training.schedule.name}'": training.schedule.name != "constant",
        f"training.loss '{training.loss.name}'": training.loss.name != "cross_entropy",
        "training.loss.label_smoothing": training.loss.options.get("label_smoothing"),
    }
    if any(unknown.values()):
        found = ", ".join(name for name, given in unknown.items() if given)
        raise ValueError(f"scikit-learn's mlp_classifier knows no {found}; leave it out, or choose the model mlp")


def _has_stopped(estimator: Any) -> bool:
    """Whether the loss has not fallen by `tol` in more than `n_iter_no_change` epochs on end, which ends `fit`."""
    best, without_gain = np.inf, 0
    for loss in estimator.loss_curve_:
        without_gain = without_gain + 1 if loss > best - estimator.tol else 0
        best = min(best, loss)
    return bool(without_gain > estimator.n_iter_no_change)


def _make_estimator(hidden: list[int], training: Training, examples: int, random_state: Any) -> Any:
    """Without shuffling, which `fit_epoch` does."""
    from sklearn.neural_network import MLPClassifier

    options = training.optimizer.resolved("training.optimizer").options
    momentum = {"momentum": options["momentum"]} if training.optimizer.name == "sgd" else {}
    return MLPClassifier(
        hidden,
        activation="relu",
        solver=training.optimizer.name,
        learning_rate_init=options["lr"],
        alpha=options["weight_decay"],
        batch_size=min(training.batch_size, examples),
        shuffle=False,
        random_state=random_state,
        nesterovs_momentum=options.get("nesterov", False),
        **momentum,
    )
