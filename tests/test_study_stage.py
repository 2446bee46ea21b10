"""The stages `study` and `contrast`: from parameters and a split to files, without a look at the test part."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import reprolab.data.parts
from reprolab.core.config import SplitConfig
from reprolab.core.errors import InputError
from reprolab.core.layout import JOURNALS, TRAININGS, contrast_file, study_file
from reprolab.data.parts import Part, load_training_data
from reprolab.data.split import make_split, save_split
from reprolab.reports.contrasts import ContrastRecord
from reprolab.studies.outputs import extremes_of
from reprolab.studies.plan import Plan
from reprolab.studies.record import Summary, load_rows
from tests.factories import make_source, params_settings
from tests.studied import EPOCHS, GRID, known, make_study, results_of

RunStage = Callable[..., object]
STUDIES: dict[str, dict[str, Any]] = {
    "grid": {"search": {"name": "grid"}, "space": GRID},
    "tpe": {
        "search": {"name": "tpe", "points": 6, "pruning": 1},
        "space": {"training": {"optimizer": {"lr": {"low": 0.001, "high": 10.0, "log": True}}, "epochs": [3]}},
        "objective": "validation_loss",
    },
    "folds": {"search": {"name": "folds", "folds": 3}, "title": "Three folds"},
    "contamination": {"search": {"name": "contamination", "shares": [0, 1], "seeds": 2}},
    "one": {"search": {"name": "seeds", "seeds": 3}},
    "two": {"search": {"name": "seeds", "seeds": 3}, "space": {"training": {"optimizer": {"lr": [1.0]}}}},
}


@pytest.fixture
def folder(split_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parameters and a split whose test part cannot be read."""
    document = params_settings({"small": {"dataset": "noise", "model": {"name": "mlp", "hidden": [4]}}})
    document["studies"] = {name: {"dataset": "noise", "of": "small", **study} for name, study in STUDIES.items()}
    document["contrasts"] = {"both": {"first": "one", "second": "two", "title": "Faster"}}
    write(tmp_path, document)
    (split_folder / "test.safetensors").unlink()
    monkeypatch.setenv("REPROLAB_JOBS", "1")
    load_part = reprolab.data.parts.load_part

    def refusing(folder: Path, name: str) -> Part:
        assert name != "test", "the test part was opened"
        return load_part(folder, name)

    monkeypatch.setattr(reprolab.data.parts, "load_part", refusing)
    return tmp_path


def write(folder: Path, document: dict[str, Any]) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    (folder / "params.yaml").write_text(yaml.dump(document, Dumper=Plain))


def study(run_stage: RunStage, name: str) -> object:
    return run_stage("study", name, "data/splits/noise", str(study_file(name).with_suffix("")))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["grid", "tpe", "folds", "contamination"])
def test_a_study_has_its_files_and_never_sees_the_test_part(name: str, run_stage: RunStage) -> None:
    assert study(run_stage, name) == 0
    rows, summary = load_rows(study_file(name)), Summary.load(study_file(name).with_suffix(".json"))
    assert summary.trainings == len(rows) == {"grid": 3, "tpe": 6, "folds": 3, "contamination": 4}[name]
    assert summary.best_std is None or summary.best_n > 1
    page = study_file(name).with_suffix(".md").read_text()
    assert page.startswith(f"# {STUDIES[name].get('title', name)}\n")
    assert ("reprolab adopt" in page) == ("space" in STUDIES[name])
    pictures = [path.stem for path in study_file(name).with_suffix("").glob("*.png")]
    assert ("confusion" in pictures) == (name != "contamination")
    assert [path.name for path in JOURNALS.glob("*.jsonl") if path.name.startswith(f"study-{name}-")]


@pytest.mark.usefixtures("folder")
def test_the_best_point_is_the_one_that_is_summed_up(run_stage: RunStage) -> None:
    study(run_stage, "grid")
    rows = load_rows(study_file("grid"))
    best = max(rows, key=lambda row: (row.validation_accuracy, -(row.validation_loss or 0)))
    summary = Summary.load(study_file("grid").with_suffix(".json"))
    assert (summary.best_point, summary.best) == (best.point, round(best.validation_accuracy or 0, 6))


@pytest.mark.usefixtures("folder")
def test_two_studies_make_a_contrast(run_stage: RunStage) -> None:
    for name in ("one", "two"):
        study(run_stage, name)
    tables = [str(study_file(name)) for name in ("one", "two")]
    assert run_stage("contrast", "both", *tables, str(contrast_file("both").with_suffix(""))) == 0
    found = ContrastRecord.load(contrast_file("both"))
    scores = [[row.validation_accuracy or 0.0 for row in load_rows(Path(table))] for table in tables]
    assert (found.studies, found.repeats, found.scores) == (["one", "two"], "seeds", scores)
    assert found.difference.mean == pytest.approx(float(np.subtract(scores[1], scores[0]).mean()), abs=1e-6)
    assert contrast_file("both").with_suffix(".md").read_text().startswith("## Faster\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [("grids", "unknown study 'grids' (did you mean 'grid'?)"), ("grid", "studies.grid.search.points: unknown option")],
)
def test_a_wrong_study_ends_before_anything_is_trained(
    name: str, message: str, folder: Path, run_stage: RunStage, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load((folder / "params.yaml").read_text())
    document["studies"]["grid"]["search"]["points"] = 3
    write(folder, document)
    assert study(run_stage, name) == 1
    assert message in capsys.readouterr().err
    assert not TRAININGS.exists() and not study_file(name).exists()


def test_data_that_are_not_what_the_split_says_are_refused(
    folder: Path, run_stage: RunStage, capsys: pytest.CaptureFixture[str]
) -> None:
    split = folder / "data/splits/noise"
    shutil.copyfile(split / "train.safetensors", split / "validation.safetensors")
    assert study(run_stage, "grid") == 1
    assert "data/splits/noise" in capsys.readouterr().err
    assert not TRAININGS.exists()


def test_folds_run_on_a_data_set_without_validation_part(folder: Path, run_stage: RunStage) -> None:
    document = yaml.safe_load((folder / "params.yaml").read_text())
    del document["datasets"]["noise"]["split"]["validation"]
    write(folder, document)
    split = folder / "data/splits/noise"
    shutil.rmtree(split)
    split.mkdir()
    save_split(make_split(make_source(), SplitConfig(seed=0)), make_source(), "noise", split)
    assert study(run_stage, "folds") == 0
    assert [row.state for row in load_rows(study_file("folds"))] == ["finished"] * 3


# What the figures need of single trainings


@pytest.fixture
def data(split_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REPROLAB_JOBS", "1")
    return load_training_data(split_folder, "train")


def test_the_best_training_is_confused_as_its_accuracy_says(data: Any) -> None:
    tried = make_study(space=EPOCHS)
    results = results_of(tried, data)
    found = extremes_of(tried, results, data, Plan())
    assert found.confusion.sum() == len(data.validation)
    best = max(outcome.best.validation.accuracy for _, outcome in results if outcome.best and outcome.best.validation)
    assert found.confusion.trace() / found.confusion.sum() == pytest.approx(best)


def test_the_curves_are_those_of_the_best_and_the_worst_point(data: Any) -> None:
    tried = make_study(space=EPOCHS, objective="validation_loss")
    results = results_of(tried, data)
    epochs = {trial.point: outcome.epochs for trial, outcome in results}
    order = sorted(results, key=lambda result: result[1].best.validation.loss)  # type: ignore[union-attr]
    found = extremes_of(tried, results, data, Plan())
    assert [*found.epochs] == [epochs[order[0][0].point], epochs[order[-1][0].point]]


def test_a_best_training_that_is_not_there_any_more_is_refused(data: Any) -> None:
    tried = make_study()
    results = results_of(tried, data)
    for identity in known():
        shutil.rmtree(TRAININGS / identity)
    with pytest.raises(InputError, match=r"\.reprolab/trainings"):
        extremes_of(tried, results, data, Plan())
