"""Does bfloat16 cost accuracy? The same recipes in both precisions, over five seeds, on the validation part."""

import os
from dataclasses import dataclass
from statistics import fmean, stdev
from unittest.mock import patch

from reprolab.core.config import Experiment
from reprolab.core.layout import SPLITS
from reprolab.data.parts import load_training_data
from reprolab.reports.tables import markdown_table, signed, with_deviation
from reprolab.studies.statistics import Difference, paired_difference
from reprolab.training.device import PRECISIONS
from reprolab.training.run import train

EXPERIMENTS = ("lenet5-classic-fast", "lenet5-relu-fast", "speedrun-mnist")
SEEDS = range(5)


@dataclass(frozen=True)
class Precisions:
    """Validation accuracies, of a seed each, by precision."""

    accuracies: dict[str, list[float]]

    @property
    def difference(self) -> Difference:
        """bfloat16 less float32."""
        first, second = (self.accuracies[precision] for precision in PRECISIONS)
        return paired_difference(first, second)


def both_precisions(experiment: Experiment) -> Precisions:
    data = load_training_data(SPLITS / experiment.dataset, "train")
    found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in SEEDS:
        for precision, accuracies in found.items():
            with patch.dict(os.environ, REPROLAB_PRECISION=precision):
                best = train(experiment, data, None, seed).best
            assert best.validation
            accuracies.append(best.validation.accuracy)
    return Precisions(found)


def section(found: dict[str, Precisions]) -> str:
    rows = []
    for name, precisions in found.items():
        both = [with_deviation(fmean(values), stdev(values)) for values in precisions.accuracies.values()]
        difference = precisions.difference
        mean, low, high = map(signed, (difference.mean, difference.low, difference.high))
        rows.append([f"`{name}`", *both, f"{mean} ({low} to {high})", f"{difference.p:.2f}"])
    return f"""## Precision

The same recipe in float32 and in bfloat16, {len(SEEDS)} seeds each: accuracy on the validation part, which
is held out here, and the difference with its 95 % interval (paired t-test).

{markdown_table(["experiment", *PRECISIONS, "difference", "p"], rows)}"""
