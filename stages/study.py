"""Set the training curves and the test scores of one study's experiments side by side."""

import argparse
from pathlib import Path

from reprolab.config import load_params
from reprolab.errors import run_command
from reprolab.figures import save_figure, study_figure
from reprolab.files import atomic_file, write_json
from reprolab.inputs import stage_inputs
from reprolab.studies import study_curves, study_rows
from reprolab.tables import study_table
from reprolab.tracking import Store, origin, view_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help="a key of `studies` in params.yaml")
    parser.add_argument("metrics", type=Path, help="folder to read: the metrics of the study's data set")
    parser.add_argument("output", type=Path, help="files to write, without their endings .json, .md and .png")
    arguments = parser.parse_args()

    study = load_params().study(arguments.study)
    curves = study_curves(study.experiments, arguments.metrics)
    rows = study_rows(curves, arguments.metrics)

    files = [arguments.output.with_suffix(ending) for ending in (".json", ".md", ".png")]
    write_json(files[0], rows)
    with atomic_file(files[1]) as partial:
        partial.write_text(f"## {study.title}\n\n{study_table(rows)}")
    save_figure(study_figure(study.title, curves), files[2])

    inputs = stage_inputs("study", arguments.study)
    with view_run(Store(study.dataset), inputs).in_progress() as run:
        run.set_tags(origin(inputs))
        told = ("accuracy", "last_accuracy_gap", "last_loss_gap")
        run.log_scores({f"{row['experiment']}.{key}": row[key] for row in rows for key in told})
        run.log_files(*files)


if __name__ == "__main__":
    run_command(main)
