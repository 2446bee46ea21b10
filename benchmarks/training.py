"""How fast training is, beside the loop of the lab sheets: images a second, the time to an accuracy, and its precision.

Both loops run in turn in one process, since machines differ and are noisy: what counts are the ratios. The time to an
accuracy is that of all epochs at the rates measured here; the accuracies are those of the committed results. `make
bench-training` runs it on a quiet machine and writes docs/benchmarks.md.
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from precision import EXPERIMENTS as PRECISION_OF
from precision import Precisions, both_precisions
from precision import section as precision_section
from tutorial import rate as tutorial_rate

from reprolab.core.config import Experiment, Params, load_params
from reprolab.core.files import write_text
from reprolab.core.layout import SPLIT, SPLITS, TEST, metrics_folder
from reprolab.data.parts import SplitInfo, TrainingData, load_training_data
from reprolab.evaluation.record import EvaluationRecord
from reprolab.models.build import resolve_experiments
from reprolab.reports.tables import markdown_table, with_deviation
from reprolab.training.device import processor
from reprolab.training.run import train

PAGE = Path("docs/benchmarks.md")
IMAGES = {"lenet5-classic": 12_800, "lenet5-relu": 12_800, "alexnet32": 2_560}
FAST = {"lenet5-classic": "lenet5-classic-fast", "lenet5-relu": "lenet5-relu-fast", "alexnet32": "alexnet32-fast"}
SPEEDRUNS = {"speedrun-mnist": 12_800, "speedrun-cifar10": 5_120}


@dataclass(frozen=True)
class Rates:
    """Images a second in each of some rounds: of the sheets' loop, of ours, and of ours by the fast recipe."""

    tutorial: list[float]
    ours: list[float]
    fast: list[float]

    def ratio(self, other: list[float]) -> tuple[float, float, float]:
        """How many times as fast as the sheets' loop: the median, the least and the most."""
        ratios = [mine / theirs for mine, theirs in zip(other, self.tutorial, strict=True)]
        return median(ratios), min(ratios), max(ratios)


def some_images(experiment: Experiment, count: int) -> TrainingData:
    """Evenly spaced training examples, without a validation part."""
    data = load_training_data(SPLITS / experiment.dataset, experiment.training.data)
    chosen = np.zeros(len(data.train), bool)
    chosen[np.linspace(0, len(data.train) - 1, count).astype(int)] = True
    return replace(data, train=data.train[chosen], validation=None)


def our_rate(experiment: Experiment, data: TrainingData) -> float:
    settings = experiment.training.model_copy(update={"epochs": 1})
    fit = train(experiment.model_copy(update={"training": settings}), data, None, seed=0)
    found = fit.epochs[-1].images_per_second
    assert found
    return found


def measure(name: str, experiments: dict[str, Experiment], rounds: int) -> Rates:
    experiment = experiments[name]
    data = some_images(experiment, IMAGES[name])
    rates = Rates([], [], [])
    for number in range(rounds + 1):
        found = (
            tutorial_rate(experiment, data.info, data.train),
            our_rate(experiment, data),
            our_rate(experiments[FAST[name]], data),
        )
        if number:  # the first round warms up
            for values, value in zip((rates.tutorial, rates.ours, rates.fast), found, strict=True):
                values.append(value)
    return rates


def accuracy(name: str, params: Params) -> str:
    record = EvaluationRecord.load(metrics_folder(params.experiment(name).dataset, name) / TEST)
    return with_deviation(record.accuracy, record.accuracy_std)


def speedrun_rate(name: str, experiment: Experiment, rounds: int) -> float:
    data = some_images(experiment, SPEEDRUNS[name])
    return median([our_rate(experiment, data) for _ in range(rounds + 1)][1:])


def images(experiment: Experiment) -> int:
    """That all epochs of a training go through."""
    sizes = SplitInfo.load(SPLITS / experiment.dataset / SPLIT).sizes
    return experiment.training.epochs * sum(sizes[part] for part in experiment.training.data.split("+"))


def spread(ratios: tuple[float, float, float], form: str) -> str:
    middle, least, most = (format(ratio, form) for ratio in ratios)
    return f"{middle} ({least} – {most})"


def page(
    found: dict[str, Rates], speedruns: dict[str, float], precisions: dict[str, Precisions], params: Params
) -> str:
    header = ["experiment", "sheets' loop, images/s", "this project", "times as fast"]
    rows = [
        [
            f"`{name}`",
            f"{median(rates.tutorial):,.0f}",
            f"{median(rates.ours):,.0f}",
            spread(rates.ratio(rates.ours), ".1f"),
        ]
        for name, rates in found.items()
    ]
    return f"""# Benchmarks

Written by `make bench-training` on a quiet machine:
{processor("cpu")}, {os.cpu_count()} cores, PyTorch {torch.__version__.partition("+")[0]}.
Each round runs the loop of the lab sheets (a DataLoader of Pillow images, float32: `benchmarks/tutorial.py`)
and this project's, in turn, on the same images. A ratio is the rounds' median, with the least and the most.

{markdown_table(header, rows)}
{fast_section(found, params)}
{speedrun_section(speedruns, params)}
{precision_section(precisions)}"""


def fast_section(found: dict[str, Rates], params: Params) -> str:
    header = ["experiment", "sheets' recipe and loop", "accuracy", "fast recipe", "accuracy", "times sooner"]
    rows = []
    for name, fast in FAST.items():
        rates, sheet, ours = found[name], params.experiment(name), params.experiment(fast)
        fewer = images(sheet) / images(ours)
        middle, least, most = rates.ratio(rates.fast)
        rows.append(
            [
                f"`{name}`",
                f"{sheet.training.epochs} epochs, {images(sheet) / median(rates.tutorial):.0f} s",
                accuracy(name, params),
                f"{ours.training.epochs} epoch{'s' * (ours.training.epochs > 1)}, "
                f"{images(ours) / median(rates.fast):.1f} s",
                accuracy(fast, params),
                spread((fewer * middle, fewer * least, fewer * most), ".0f"),
            ]
        )
    return f"""## Time to the sheets' accuracy

The recipe of a `-fast` experiment trains the same network on the same data, and was chosen on the validation
part. Seconds are those of all epochs at the rates measured, accuracies on the test part.

{markdown_table(header, rows)}"""


def speedrun_section(speedruns: dict[str, float], params: Params) -> str:
    rows = []
    for name, rate in speedruns.items():
        experiment = params.experiment(name)
        seconds = f"{images(experiment) / rate:,.1f}"
        rows.append([f"`{name}`", f"{rate:,.0f}", str(experiment.training.epochs), seconds, accuracy(name, params)])
    return f"""## Speed runs

A network and a recipe made for the purpose. Seconds are those of all epochs at the rate measured, accuracies
on the test part.

{markdown_table(["experiment", "images/s", "epochs", "seconds", "accuracy"], rows)}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("experiment", nargs="*", help="all by default")
    arguments = parser.parse_args()
    params = load_params()
    experiments = resolve_experiments(params)
    found = {}
    for name in arguments.experiment or IMAGES:
        found[name] = measure(name, experiments, arguments.rounds)
        print(f"{name}: {found[name].ratio(found[name].ours)[0]:.1f} times as fast as the sheets' loop", flush=True)
    if arguments.experiment:
        return
    speedruns = {name: speedrun_rate(name, experiments[name], arguments.rounds) for name in SPEEDRUNS}
    precisions = {name: both_precisions(experiments[name]) for name in PRECISION_OF}
    write_text(PAGE, page(found, speedruns, precisions, params))


if __name__ == "__main__":
    main()
