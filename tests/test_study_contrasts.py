"""Two studies beside each other, and what pages show of studies and contrasts."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.core.comparison import Contrast
from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.layout import contrast_file, study_file
from reprolab.core.study import Study
from reprolab.reports.contrasts import ContrastRecord, contrast, contrast_scores, save_contrast
from reprolab.reports.pages import KINDS
from reprolab.studies.record import TrialRow, save_rows
from reprolab.studies.statistics import paired_difference
from tests.factories import params_settings
from tests.studied import make_failed, make_study, make_trial

ENTRY = Contrast(first="one", second="two")
SCORES = [0.5, 0.6, 0.7], [0.6, 0.8, 0.75]
SEEDS = make_study("seeds", seeds=3)
FOLDS = make_study("folds", folds=3)


def rows_of(scores: list[float], folds: bool = False) -> list[TrialRow]:
    return [
        make_trial(0, 0 if folds else number, score, fold=number + 1 if folds else None)
        for number, score in enumerate(scores)
    ]


@pytest.mark.parametrize(("folds", "held_out"), [(False, None), (True, 0.5)])
def test_a_contrast_pairs_the_same_seeds_or_folds(folds: bool, held_out: float | None) -> None:
    study = FOLDS if folds else SEEDS
    found = contrast(ENTRY, (study, study), (rows_of(SCORES[0], folds), rows_of(SCORES[1], folds)))
    assert (found.objective, found.repeats) == ("validation_accuracy", "folds" if folds else "seeds")
    assert (found.studies, found.scores) == (["one", "two"], [*SCORES])
    assert found.difference == paired_difference(*SCORES, held_out)
    assert contrast_scores(found) == {"difference": found.difference.mean, "p": found.difference.p}


@pytest.mark.parametrize(
    ("studies", "tables", "message"),
    [
        (
            (SEEDS, make_study("seeds", None, "validation_loss", seeds=3)),
            SCORES,
            "have different objectives; give them",
        ),
        ((SEEDS, SEEDS.model_copy(update={"dataset": "iris"})), SCORES, "one and two are of different data sets"),
        ((SEEDS, SEEDS), ([0.5, 0.6], [0.5, 0.6, 0.7]), "one and two have other seeds or folds; give both the same"),
        ((SEEDS, SEEDS), ([0.5], [0.6]), "a paired test needs at least two seeds or folds; found 1"),
    ],
)
def test_studies_that_cannot_be_paired_are_refused(
    studies: tuple[Study, Study], tables: tuple[list[float], list[float]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        contrast(ENTRY, studies, (rows_of(tables[0]), rows_of(tables[1])))


def test_seeds_and_folds_are_no_pair() -> None:
    with pytest.raises(InputError, match="have other seeds or folds"):
        contrast(ENTRY, (SEEDS, FOLDS), (rows_of(SCORES[0]), rows_of(SCORES[1], folds=True)))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (make_trial(1, 0), "the study two has 2 points; a contrast takes studies of one, without a space"),
        (make_failed(0, 3), "a training of the study two failed: it diverged"),
    ],
)
def test_a_study_of_several_points_or_with_a_failure_is_refused(more: TrialRow, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        contrast(ENTRY, (SEEDS, SEEDS), (rows_of(SCORES[0]), [*rows_of(SCORES[1]), more]))


def test_a_contrast_has_a_record_a_page_and_a_figure(tmp_path: Path) -> None:
    found = contrast(ENTRY, (SEEDS, SEEDS), (rows_of(SCORES[0]), rows_of(SCORES[1])))
    output = tmp_path / "contrast" / "c"
    files = save_contrast(output, "One against two", found)
    assert [path.name for path in files] == ["c.json", "c.md", "difference.png"]
    assert ContrastRecord.load(files[0]) == found
    page = files[1].read_text()
    assert page.startswith("## One against two\n\n| study | seeds | validation accuracy |\n")
    assert "| `two` | 3 | 0.7167 ± 0.1041 |" in page
    assert "Paired t-test: `two` less `one`: +0.1167 in validation accuracy (95 % interval " in page
    assert files[2].read_bytes().startswith(b"\x89PNG")


# Pages


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Of the studies `one` and `two` and their contrast, none of which has run."""
    monkeypatch.chdir(tmp_path)
    entry: dict[str, Any] = {"dataset": "digits", "of": "small", "search": {"name": "seeds", "seeds": 3}}
    document = params_settings({"small": {}})
    document["studies"] = {"one": entry, "two": entry, "wide": entry | {"space": {"training": {"epochs": [1, 2]}}}}
    document["contrasts"] = {"both": {"title": "Both", "first": "one", "second": "two"}}
    return Params.model_validate(document)


def test_a_page_shows_a_study_with_its_figures(params: Params) -> None:
    assert KINDS["study"].text(params, "one") == "Not run yet: `dvc repro study@one`.\n"
    save_rows(study_file("one"), rows_of(SCORES[0]))
    figures = study_file("one").with_suffix("")
    figures.mkdir()
    (figures / "repeats.png").touch()
    found = KINDS["study"].text(params, "one")
    assert found.startswith("`small` on `digits`, searched by `seeds` (seeds 3): 1 point, 3 trainings.")
    assert found.endswith("![one: repeats](<metrics/study/one/repeats.png>)\n")


def test_a_page_leaves_out_a_study_whose_space_has_another_key_now(params: Params) -> None:
    save_rows(study_file("wide"), rows_of(SCORES[0]))
    assert KINDS["study"].text(params, "wide") == "Not run yet: `dvc repro study@wide`.\n"


def test_a_page_shows_a_contrast(params: Params) -> None:
    assert KINDS["contrast"].text(params, "both") == "Not run yet: `dvc repro contrast@both`.\n"
    found = contrast(params.contrast("both"), (SEEDS, SEEDS), (rows_of(SCORES[0]), rows_of(SCORES[1])))
    save_contrast(contrast_file("both").with_suffix(""), "Both", found)
    text = KINDS["contrast"].text(params, "both")
    assert text.startswith("| study | seeds |") and "Paired t-test: `two` less `one`" in text
    assert text.endswith("![Both](<metrics/contrast/both/difference.png>)\n")


def test_only_what_params_has_may_be_shown(params: Params) -> None:
    for kind, names in (("study", ["one", "two", "wide"]), ("contrast", ["both"])):
        of = KINDS[kind].names
        assert of and list(of(params)) == names
