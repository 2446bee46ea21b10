"""`reprolab results`: what stands between the marks of README.md and docs/*.md."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.core.config import Params
from reprolab.core.errors import InputError
from reprolab.core.files import write_json, write_table
from reprolab.core.layout import (
    BASELINES,
    CLASSES,
    COMPARISONS,
    comparison_file,
    costs_file,
    data_figures_folder,
    layers_file,
    metrics_folder,
)
from reprolab.evaluation.record import LayerRow
from reprolab.reports.comparison import compare
from reprolab.reports.pages import write_pages
from reprolab.reports.record import ComparisonRow, save_rows
from reprolab.reports.tables import CostsRow, comparison_table, costs_table, learning_table, published_table
from tests.factories import make_params
from tests.result_factories import make_baseline, make_class_row, make_costs, make_evaluation, make_row, write_results

README = "# Title\n\n<!-- results: begin -->\nold\n<!-- results: end -->\nThe end.\n"


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Two data sets with three experiments and three comparisons; `small` has run, in a working directory with a
    README.md; the seconds of an epoch are published for it."""
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text(README, encoding="utf-8")
    BASELINES.parent.mkdir()
    published = [make_baseline(22, "small", "epoch_seconds"), make_baseline(30, "small", "epoch_seconds", "mnist")]
    write_table(BASELINES, published)
    write_metrics("small", {"cat": 0.25, "dog": 1.0})
    comparisons: dict[str, dict[str, Any]] = {
        "digits": {"dataset": "digits"},
        "width": {"title": "Width", "dataset": "digits", "experiments": ["small", "large"], "curves": True},
        "mnist": {"title": "All of MNIST", "dataset": "mnist"},
    }
    return make_params({"small": {}, "large": {}, "third": {"dataset": "mnist"}}, comparisons)


def write_metrics(experiment: str, recalls: dict[str, float]) -> None:
    folder = metrics_folder("digits", experiment)
    write_results(folder, make_evaluation(trainable_parameters=5130))
    write_table(folder / CLASSES, [make_class_row(name, 5, recall) for name, recall in recalls.items()])


def save_comparison_of_digits(name: str = "digits", curves: bool = False) -> list[ComparisonRow]:
    figure = make_baseline(0.4, "small", "loss")
    rows = compare("digits", ["small", "large"], Path("metrics/digits"), [figure], curves)
    save_rows(comparison_file(name), rows)
    return rows


def page(label: str, text: str = "") -> str:
    return f"Above.\n\n<!-- {label}: begin -->\n{text}<!-- {label}: end -->\n\nBelow.\n"


def written(params: Params, label: str) -> str:
    """What `write_pages` puts between the marks of this label."""
    path = Path("docs/page.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(page(label, "old\n"), encoding="utf-8")
    write_pages(params)
    head, tail = page(label).split("begin -->\n")
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"{head}begin -->\n\n") and text.endswith(f"\n\n{tail}")
    return text.removeprefix(f"{head}begin -->\n\n").removesuffix(f"\n{tail}")


def test_readme_gets_the_comparisons_of_whole_data_sets(params: Params) -> None:
    digits = save_comparison_of_digits()
    save_comparison_of_digits("width")
    third = [make_row("third")]
    save_rows(comparison_file("mnist"), third)
    write_pages(params)
    expected = README.replace(
        "old\n", f"\n### digits\n\n{comparison_table(digits)}\n### All of MNIST\n\n{comparison_table(third)}\n"
    )
    assert Path("README.md").read_text(encoding="utf-8") == expected
    assert "figure" not in expected


def test_readme_leaves_out_what_has_not_run(params: Params) -> None:
    digits = save_comparison_of_digits()
    write_pages(params)
    assert Path("README.md").read_text(encoding="utf-8") == README.replace(
        "old\n", f"\n### digits\n\n{comparison_table(digits)}\n"
    )


def test_a_second_time_changes_nothing(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    save_comparison_of_digits()
    Path("docs").mkdir()
    Path("docs/page.md").write_text(page("published digits") + page("classes digits"), encoding="utf-8")
    Path("docs/plain.md").write_text("No marks.\n", encoding="utf-8")
    write_pages(params)
    assert capsys.readouterr().out == "wrote README.md\nwrote docs/page.md\n"
    first = Path("docs/page.md").read_text(encoding="utf-8")
    write_pages(params)
    assert capsys.readouterr().out == ""
    assert Path("docs/page.md").read_text(encoding="utf-8") == first


@pytest.mark.parametrize("name", ["digits", "width"])
def test_published_figures_are_those_of_the_comparison(params: Params, name: str) -> None:
    assert written(params, f"published {name}") == f"Not run yet: `dvc repro compare@{name}`.\n"
    rows = save_comparison_of_digits(name)
    assert written(params, f"published {name}") == published_table(rows)
    assert "| `small` | loss | 0.4000 | 0.5000 | +0.1000 |" in published_table(rows)


def test_learning_curves_are_those_of_the_comparison(params: Params) -> None:
    assert written(params, "learning width") == "Not run yet: `dvc repro compare@width`.\n"
    rows = save_comparison_of_digits("width", curves=True)
    text = written(params, "learning width")
    assert text == learning_table(rows)
    assert "| `small` | 1 | last: 2 | 0.0500 |" in text
    assert "| `large` |  | not run |" in text


def test_a_comparison_has_its_table_on_any_page(params: Params) -> None:
    assert written(params, "comparison width") == "Not run yet: `dvc repro compare@width`.\n"
    rows = save_comparison_of_digits("width")
    assert written(params, "comparison width") == comparison_table(rows)


def test_pictures_are_linked_from_where_the_page_lies(params: Params) -> None:
    assert written(params, "curves width") == "Not run yet: `dvc repro compare@width`.\n"
    save_comparison_of_digits("width")
    folder = comparison_file("width").with_suffix("")
    folder.mkdir()
    assert written(params, "curves width") == "Not run yet: `dvc repro compare@width`.\n"
    (folder / "curves.png").touch()
    assert written(params, "curves width") == "![Width](../metrics/comparison/width/curves.png)\n"
    Path("README.md").write_text(README + page("curves width"), encoding="utf-8")
    write_pages(params)
    assert "\n![Width](metrics/comparison/width/curves.png)\n" in Path("README.md").read_text(encoding="utf-8")


def test_the_pictures_of_a_data_set_are_those_that_are_drawn(params: Params) -> None:
    assert written(params, "pictures digits") == "Not drawn yet: `dvc repro describe@digits`.\n"
    folder = data_figures_folder("digits")
    folder.mkdir(parents=True)
    for name in ("samples.png", "classes.png"):
        (folder / name).touch()
    assert written(params, "pictures digits") == (
        "![digits: classes](../figures/data/digits/classes.png)\n\n"
        "![digits: samples](../figures/data/digits/samples.png)\n"
    )


def test_progress_is_read_from_the_curves(params: Params) -> None:
    assert (
        written(params, "progress width")
        == """\
| epoch | `small` |
|---|---|
| 1 | 1.0000 ± 0.0000 |
| 2 | 0.7500 ± 0.0707 |

- Accuracy on the validation part; ± is the standard deviation over the seeds.
- Not run: `large`.
"""
    )


def test_a_comparison_from_before_it_asked_for_curves_has_none(params: Params) -> None:
    save_comparison_of_digits("width", curves=False)
    assert written(params, "learning width") == "Not run yet: `dvc repro compare@width`.\n"


def test_classes_have_a_line_each_and_experiments_a_column(params: Params) -> None:
    assert (
        written(params, "classes digits")
        == """\
| class | `small` |
|---|---|
| cat | 0.2500 |
| dog | 1.0000 |

- Not run: `large`.
"""
    )
    write_metrics("large", {"cat": 0.5, "dog": 0.0})
    assert (
        written(params, "classes digits")
        == """\
| class | `small` | `large` |
|---|---|---|
| cat | 0.2500 | 0.5000 |
| dog | 1.0000 | 0.0000 |
"""
    )
    assert written(params, "classes mnist") == "- Not run: `third`.\n"


def test_costs_stand_beside_the_accuracy(params: Params) -> None:
    make_costs(trainable_parameters=5130).save(costs_file("small"))
    test = make_evaluation(trainable_parameters=5130)
    costs = make_costs(trainable_parameters=5130)
    rows = [CostsRow("small", costs, test, published_seconds=22), CostsRow("large", None, None)]
    assert written(params, "costs digits") == costs_table(rows)
    assert "| 3.2 | 22.0 |" in costs_table(rows)


def test_costs_of_an_earlier_version_are_refused(params: Params) -> None:
    write_json(costs_file("small"), {"parameters": 61706})
    with pytest.raises(InputError, match=r"small\.json is damaged, or of another version.*flops_per_image: Field req"):
        written(params, "costs digits")


def test_layers_are_those_of_their_file(params: Params) -> None:
    assert written(params, "layers small") == "Not measured yet: `reprolab measure small`.\n"
    conv = LayerRow(layer="0", type="Conv2d", input="1×28×28", output="6×24×24", maps=6, parameters=156)
    linear = LayerRow(layer="3", type="Linear", input="784", output="512", parameters=401920)
    write_table(layers_file("small"), [conv, linear])
    assert (
        written(params, "layers small")
        == """\
| layer | type | input | output | maps | parameters |
|---|---|---|---|---|---|
| 0 | Conv2d | 1×28×28 | 6×24×24 | 6 | 156 |
| 3 | Linear | 784 | 512 |  | 401,920 |
"""
    )


def test_several_marks_of_a_page_are_all_filled(params: Params) -> None:
    save_comparison_of_digits()
    text = page("layers small") + page("classes mnist")
    Path("docs").mkdir()
    Path("docs/page.md").write_text(text, encoding="utf-8")
    write_pages(params)
    assert Path("docs/page.md").read_text(encoding="utf-8") == text.replace(
        "layers small: begin -->\n", "layers small: begin -->\n\nNot measured yet: `reprolab measure small`.\n\n"
    ).replace("classes mnist: begin -->\n", "classes mnist: begin -->\n\n- Not run: `third`.\n\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            page("tables digits"),
            "<!-- tables digits: begin -->: unknown kind 'tables'; allowed: results, comparison, published, "
            "learning, curves, progress, pictures, classes, costs, study, contrast, layers",
        ),
        (
            page("published digit"),
            "<!-- published digit: begin -->: unknown comparison 'digit' (did you mean 'digits'?); allowed: digits, "
            "width, mnist",
        ),
        (page("classes wine"), "<!-- classes wine: begin -->: unknown data set 'wine'; allowed: digits, mnist"),
        (page("costs"), "<!-- costs: begin -->: unknown data set ''; allowed: digits, mnist"),
        (
            page("learning widht"),
            "<!-- learning widht: begin -->: unknown comparison with curves 'widht' (did you mean 'width'?)",
        ),
        (
            page("learning digits"),
            "<!-- learning digits: begin -->: unknown comparison with curves 'digits'; allowed: width",
        ),
        (page("layers big"), "<!-- layers big: begin -->: unknown experiment 'big'; allowed: small, large, third"),
        (
            page("results digits"),
            "<!-- results digits: begin -->: found the name 'digits'; results has none: remove it",
        ),
        (
            "<!-- learning width: begin -->\n",
            "<!-- learning width: begin --> has no <!-- learning width: end --> before the next mark",
        ),
        (
            "<!-- learning width: begin -->\n" + page("layers small") + "<!-- learning width: end -->\n",
            "<!-- learning width: begin --> has no <!-- learning width: end --> before the next mark",
        ),
        (
            "<!-- learning width: end -->\n<!-- learning width: begin -->\n",
            "<!-- learning width: end --> has no <!-- learning width: begin --> before it",
        ),
    ],
)
def test_an_error_is_named_by_page_and_mark_and_no_page_is_written(params: Params, text: str, message: str) -> None:
    save_comparison_of_digits()
    Path("docs").mkdir()
    pages = {Path("docs/a.md"): page("layers small"), Path("docs/page.md"): text, Path("README.md"): README}
    for path, content in pages.items():
        path.write_text(content)
    with pytest.raises(InputError) as error:
        write_pages(params)
    assert str(error.value).startswith(f"docs/page.md: {message}")
    assert {path: path.read_text() for path in pages} == pages


@pytest.mark.parametrize("text", ["# Title\n", None, "Use `<!-- results: begin -->`.\n"])
def test_the_readme_needs_its_marks(params: Params, text: str | None) -> None:
    readme = Path("README.md")
    readme.unlink()
    if text:
        readme.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md lacks the lines <!-- results: begin --> and <!-- results: end"):
        write_pages(params)
    assert (readme.read_text(encoding="utf-8") if readme.exists() else None) == text


def test_a_comparison_of_an_earlier_version_is_refused(params: Params) -> None:
    COMPARISONS.mkdir(parents=True)
    write_json(comparison_file("digits"), [{"experiment": "small", "accuracy": 0.8, "stand_in": False}])
    with pytest.raises(InputError, match=r"digits\.json is damaged, or of another version.*published: Field required"):
        write_pages(params)
    assert Path("README.md").read_text(encoding="utf-8") == README


@pytest.mark.parametrize(
    ("label", "file", "text"),
    [
        ("classes digits", "digits/small/classes.csv", "class,recall\ncat,0.5\n"),
        ("costs digits", "digits/small/test.json", "{"),
        ("layers small", "costs/small-layers.csv", "layer,type,input,output,maps,parameters\n0,Conv2d,1,6,six,156\n"),
    ],
)
def test_a_damaged_file_is_refused(params: Params, label: str, file: str, text: str) -> None:
    path = Path("metrics") / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(InputError, match=f"{file} is damaged"):
        written(params, label)
