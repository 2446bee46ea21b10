"""The files of an evaluation: its scores, its tables and its figures."""

from pathlib import Path

from reprolab.core.files import atomic_directory, read_table, write_table
from reprolab.core.layout import CLASSES, CONFUSION, CURVES, TEST
from reprolab.data.parts import Part
from reprolab.evaluation.drawing import save_figure
from reprolab.evaluation.evaluate import Evaluation
from reprolab.evaluation.network_figures import experiment_figures
from reprolab.training.record import CurvePoint


def save_evaluation(
    name: str, evaluation: Evaluation, model: Path, test: Part, metrics: Path, figures: Path
) -> list[Path]:
    """Write into the folders `metrics`, which holds the training's curves, and `figures`, which is replaced; return the
    files."""
    curves = read_table(metrics / CURVES, CurvePoint)
    with atomic_directory(figures) as folder:
        for file, figure in experiment_figures(name, model, curves, test, evaluation).items():
            save_figure(figure, folder / file)
    write_table(metrics / CONFUSION, evaluation.confusion_rows())
    write_table(metrics / CLASSES, evaluation.class_rows())
    evaluation.record().save(metrics / TEST)
    return evaluation_files(metrics, figures)


def evaluation_files(metrics: Path, figures: Path) -> list[Path]:
    return [metrics / TEST, metrics / CLASSES, metrics / CONFUSION, *sorted(figures.iterdir())]
