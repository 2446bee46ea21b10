"""Is a Bayesian search with pruning better than a random one? Both have the same budget of epochs, over several seeds.

Writes docs/searches.md. The numbers depend on the seeds alone, not on the machine's speed. `make bench-searches` runs
it, in some minutes.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from statistics import fmean

from reprolab.core.config import Experiment, Params, load_params
from reprolab.core.files import write_text
from reprolab.core.study import Study
from reprolab.data.parts import TrainingData, load_training_data
from reprolab.reports.tables import markdown_table
from reprolab.studies.run import JOBS_VARIABLE, Result, objective_of, run_study
from reprolab.studies.space import plan_of
from reprolab.studies.statistics import paired_difference

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "searches.md"
EXPERIMENT, EPOCHS = "mlp-100", 60
SPACE = {
    "model": {"hidden": [[25], [50], [100], [200]], "activation": ["relu", "tanh"]},
    "training": {
        "epochs": [EPOCHS],
        "batch_size": {"low": 16, "high": 600, "log": True},
        "optimizer": {
            "lr": {"low": 0.0001, "high": 0.3, "log": True},
            "weight_decay": {"low": 0.0001, "high": 1.0, "log": True},
        },
    },
}
PRUNING = 10  # epochs before a training may be broken off
MORE = 4  # times as many points for the search that breaks trainings off, to use the budget up


def study(search: str, points: int, seed: int, **options: object) -> Study:
    return Study.model_validate(
        {
            "dataset": "mnist900",
            "of": EXPERIMENT,
            "space": SPACE,
            "objective": "validation_loss",
            "search": {"name": search, "points": points, "seed": seed, **options},
        }
    )


def best_within(found: Study, results: Sequence[Result], budget: int) -> float:
    """The lowest loss among the trainings that a number of epochs pays for, in their order."""
    spent, best = 0, float("inf")
    for _, outcome in results:
        spent += len(outcome.epochs)
        if spent > budget:
            break
        if outcome.state == "finished":
            best = min(best, objective_of(found, outcome))
    return best


def search(found: Study, params: Params, data: TrainingData, budget: int) -> float:
    base: Experiment = params.experiment(EXPERIMENT)
    plan = plan_of(found, "study")
    return best_within(found, run_study("search", found, base, data, plan), budget)


def page(points: int, losses: dict[str, list[float]]) -> str:
    names = list(losses)
    rows = [[str(seed), *(f"{losses[name][seed]:.4f}" for name in names)] for seed in range(len(losses[names[0]]))] + [
        ["mean", *(f"{fmean(values):.4f}" for values in losses.values())]
    ]
    lines = []
    for name in names[1:]:
        difference = paired_difference(losses[names[0]], losses[name], tests=len(names) - 1)
        lines.append(
            f"- {name} less {names[0]}: {difference.mean:+.4f} (95 % interval {difference.low:+.4f} to "
            f"{difference.high:+.4f}, p = {difference.p:.2g})\n"
        )
    return (
        "# Searches compared\n\n"
        f"Written by `make bench-searches`: `{EXPERIMENT}` on MNIST-900, its width, activation, batch size, learning "
        f"rate and weight decay drawn from the same space, {points} trainings of {EPOCHS} epochs, or as many epochs "
        "spread over more trainings where a search breaks some off. A row is a seed of the search; the number is the "
        "lowest validation loss that the budget bought. One process, so that the order of trials is the same again.\n\n"
        f"{markdown_table(['seed', *names], rows)}\n"
        f"Paired t-tests over the seeds, the probabilities times {len(names) - 1}:\n\n{''.join(lines)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--points", type=int, default=30)
    arguments = parser.parse_args()
    params = load_params()
    data = load_training_data(Path("data/splits/mnist900").resolve(), "train")
    budget = arguments.points * EPOCHS
    os.environ[JOBS_VARIABLE] = "1"
    losses: dict[str, list[float]] = {"random": [], "tpe": [], "tpe with pruning": []}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for seed in range(arguments.seeds):
            kinds = {
                "random": study("random", arguments.points, seed),
                "tpe": study("tpe", arguments.points, seed),
                "tpe with pruning": study("tpe", MORE * arguments.points, seed, pruning=PRUNING),
            }
            for name, found in kinds.items():
                losses[name].append(search(found, params, data, budget))
                print(f"seed {seed}, {name}: {losses[name][-1]:.4f}", flush=True)
    write_text(PAGE, page(arguments.points, losses))
    print(f"wrote {PAGE.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
