"""Score one trained experiment on the test part, and draw its figures."""

import argparse
from pathlib import Path

from reprolab.classifier import load_model_info
from reprolab.data.splits import load_part
from reprolab.device import choose_device
from reprolab.errors import run_command
from reprolab.evaluation import evaluate
from reprolab.figures import save_figure
from reprolab.files import atomic_directory, read_csv, write_csv, write_json
from reprolab.inside_figures import experiment_figures
from reprolab.tracking import Store, TrainingRun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("model", type=Path, help="folder to read: the trained experiment")
    parser.add_argument("metrics", type=Path, help="folder with curves.csv, to write test.json and tables into")
    parser.add_argument("figures", type=Path, help="folder to write: the figures")
    arguments = parser.parse_args()

    info, experiment, split = load_model_info(arguments.model)
    test = load_part(arguments.split, "test")
    device = choose_device()
    evaluation = evaluate(arguments.model, test, device)
    summary = evaluation.summary() | {"device": device.name, "provenance": split.provenance}
    curves = read_csv(arguments.metrics / "curves.csv")

    with atomic_directory(arguments.figures) as folder:
        for file, figure in experiment_figures(info.name, arguments.model, curves, test, evaluation).items():
            save_figure(figure, folder / file)
    write_csv(arguments.metrics / "confusion.csv", evaluation.confusion_rows())
    write_csv(arguments.metrics / "classes.csv", evaluation.class_rows())
    write_json(arguments.metrics / "test.json", summary)

    run = TrainingRun(Store(experiment.dataset), info)
    with run.in_progress():
        run.log_scores(summary, prefix="test_")
        run.log_files(*sorted(arguments.figures.iterdir()), arguments.metrics / "classes.csv")
        for seed, scores in evaluation.scores.items():
            with run.of_seed(seed).in_progress() as seed_run:
                seed_run.log_scores(scores, prefix="test_")
                seed_run.log_model(evaluation.classifiers[seed], test.inputs[:2])


if __name__ == "__main__":
    run_command(main)
