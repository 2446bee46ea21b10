"""Score one trained experiment on the test part, and draw its figures."""

import argparse
from pathlib import Path

from reprolab.core.errors import run_command
from reprolab.core.files import atomic_directory, read_table, write_table
from reprolab.core.layout import CLASSES, CONFUSION, CURVES, MODEL, TEST
from reprolab.data.parts import load_part
from reprolab.evaluation.evaluate import evaluate
from reprolab.evaluation.figures import save_figure
from reprolab.evaluation.network_figures import experiment_figures
from reprolab.models.folder import ModelInfo
from reprolab.tracking.runs import evaluation_run
from reprolab.training.device import choose_device
from reprolab.training.outputs import load_identities
from reprolab.training.record import CurvePoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("model", type=Path, help="folder to read: the trained experiment")
    parser.add_argument("metrics", type=Path, help="folder that training wrote to, to write test.json and tables into")
    parser.add_argument("figures", type=Path, help="folder to write: the figures")
    arguments = parser.parse_args()

    info = ModelInfo.load(arguments.model / MODEL)
    identities = load_identities(arguments.metrics, info.experiment.training.seeds)
    test = load_part(arguments.split, "test")
    curves = read_table(arguments.metrics / CURVES, CurvePoint)
    evaluation = evaluate(arguments.model, test, choose_device(info.split))
    record = evaluation.record()

    with atomic_directory(arguments.figures) as folder:
        for file, figure in experiment_figures(info.name, arguments.model, curves, test, evaluation).items():
            save_figure(figure, folder / file)
    write_table(arguments.metrics / CONFUSION, evaluation.confusion_rows())
    write_table(arguments.metrics / CLASSES, evaluation.class_rows())
    record.save(arguments.metrics / TEST)

    with evaluation_run(info, identities) as run:
        run.log_scores(record.model_dump(), prefix="test_")
        run.log_files(*sorted(arguments.figures.iterdir()), arguments.metrics / CLASSES)
        for seed, scores in evaluation.scores.items():
            with run.of_seed(seed).in_progress() as seed_run:
                seed_run.log_scores(vars(scores), prefix="test_")
                seed_run.log_model(evaluation.classifiers[seed], test.inputs[:2])


if __name__ == "__main__":
    run_command(main)
