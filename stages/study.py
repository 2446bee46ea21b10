"""Train an experiment over a space of settings, over seeds or folds; write each training's scores, and figures."""

import argparse
from pathlib import Path

from reprolab.core.config import load_params
from reprolab.core.errors import run_command
from reprolab.data.parts import load_training_data
from reprolab.data.split import verify_split
from reprolab.evaluation.evaluate import confusion_rows
from reprolab.reports.studies import save_study
from reprolab.studies.outputs import extremes_of, winner_of
from reprolab.studies.run import rows_of, run_study
from reprolab.studies.space import checked_plan
from reprolab.tracking.recording import record_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help="a key of `studies` in params.yaml")
    parser.add_argument("split", type=Path, help="folder to read: the data set's split")
    parser.add_argument("output", type=Path, help="folder to write figures into; .json, .csv and .md beside it")
    arguments = parser.parse_args()

    name, params = arguments.study, load_params()
    study = params.study(name)
    base = params.experiment(study.of)
    plan = checked_plan(params, name)
    data = load_training_data(arguments.split, "train")
    verify_split(arguments.split, data.info)

    results = run_study(name, study, base, data, plan)
    rows = rows_of(results)
    extremes = None if plan.shares else extremes_of(study, results, data, plan)
    written = save_study(
        arguments.output,
        name,
        study,
        rows,
        winner_of(study, base, rows) if extremes and study.space else None,
        extremes.epochs if extremes else [],
        confusion_rows(data.info.classes, extremes.confusion) if extremes else [],
    )
    record_study(name, study.dataset, data.info, written)


if __name__ == "__main__":
    run_command(main)
