"""Score one trained experiment on the test part, and draw its figures."""

import argparse
from pathlib import Path

from reprolab.core.errors import run_command
from reprolab.core.integrity import verify_model, verify_part
from reprolab.core.layout import MODEL, TRAIN
from reprolab.data.parts import load_part
from reprolab.evaluation.evaluate import evaluate
from reprolab.evaluation.outputs import save_evaluation
from reprolab.models.folder import ModelInfo
from reprolab.tracking.recording import record_evaluation
from reprolab.training.record import TrainRecord


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("model", type=Path, help="folder to read: the trained experiment")
    parser.add_argument("metrics", type=Path, help="folder that training wrote to, to write test.json and tables into")
    parser.add_argument("figures", type=Path, help="folder to write: the figures")
    arguments = parser.parse_args()

    info = ModelInfo.load(arguments.model / MODEL)
    identities = TrainRecord.load_identities(arguments.metrics / TRAIN, info.experiment.training.seeds)
    verify_model(arguments.model)
    test = load_part(arguments.split, "test")
    verify_part(arguments.split, "test", test, info.split.sha256["test"])
    evaluation = evaluate(arguments.model, test)
    written = save_evaluation(info.name, evaluation, arguments.model, test, arguments.metrics, arguments.figures)
    record_evaluation(info.name, identities, evaluation, test.inputs[:2], written)


if __name__ == "__main__":
    run_command(main)
