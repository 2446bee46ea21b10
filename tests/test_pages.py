"""`reprolab results`: what stands between the marks of README.md and docs/*.md."""

from pathlib import Path
from typing import Any

import pytest

from reprolab.comparison import compare
from reprolab.config import Params
from reprolab.errors import InputError
from reprolab.files import read_json, write_csv, write_json
from reprolab.pages import write_pages
from reprolab.studies import study_curves, study_rows
from reprolab.tables import comparison_table, published_table, study_table

TEST = {
    "accuracy": 0.8,
    "macro_f1": 0.75,
    "loss": 0.5,
    "seeds": 1,
    "images": 10,
    "parameters": 61706,
    "trainable_parameters": 5130,
    "images_per_second": 1000,
    "provenance": "official",
}
TRAIN = {
    "train_loss": 0.4,
    "train_accuracy": 0.85,
    "train_macro_f1": 0.84,
    "epochs": [1],
    "seconds": 3,
    "device": "cpu",
}
COSTS = {
    "parameters": 61706,
    "trainable_parameters": 61706,
    "flops_per_image": 1234567,
    "training_memory_mb": 12.34,
    "batch_size": 64,
    "training_images_per_second": 15000,
    "inference_images_per_second": 54321,
    "device": "cpu",
    "precision": "bfloat16",
    "machine": "x86_64, 2 threads",
}
README = "# Title\n\n<!-- results: begin -->\nold\n<!-- results: end -->\nThe end.\n"


def tiny_params() -> Params:
    """Two data sets with three experiments, and a study."""
    experiment = {
        "model": {"name": "mlp", "hidden": [4]},
        "init_from": "random",
        "input": {},
        "training": {"epochs": 1, "batch_size": 64, "optimizer": {"name": "sgd", "lr": 0.1}, "seeds": [0]},
    }
    split = {"validation": 0.1, "seed": 0}
    return Params.model_validate(
        {
            "datasets": {name: {"source": {"name": name}, "split": split} for name in ("digits", "mnist")},
            "experiments": {
                "small": experiment | {"dataset": "digits"},
                "large": experiment | {"dataset": "digits"},
                "third": experiment | {"dataset": "mnist"},
            },
            "studies": {"width": {"title": "Width", "dataset": "digits", "experiments": ["small", "large"]}},
        }
    )


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Tiny parameters; `small` has run, in a working directory with a README.md."""
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text(README)
    write_results("small", {"cat": 0.25, "dog": 1.0})
    return tiny_params()


def write_results(experiment: str, recalls: dict[str, float]) -> None:
    folder = Path("metrics/digits") / experiment
    write_json(folder / "test.json", TEST)
    write_json(folder / "train.json", TRAIN)
    parts = ("train", "validation")
    write_csv(
        folder / "curves.csv",
        [{"seed": 0, "epoch": 1, "part": part, "loss": 1, "accuracy": 0.5, "macro_f1": 0.5} for part in parts],
    )
    write_csv(folder / "classes.csv", [{"class": name, "recall": recall} for name, recall in recalls.items()])


def compare_digits() -> list[dict[str, Any]]:
    figure = {
        "dataset": "digits",
        "experiment": "small",
        "metric": "loss",
        "value": 0.4,
        "sheet": "s",
        "condition": "c",
    }
    rows = compare("digits", ["small", "large"], Path("metrics/digits"), [figure])
    write_json(Path("metrics/comparison/digits.json"), rows)
    return rows


def page(label: str, text: str = "") -> str:
    return f"Above.\n\n<!-- {label}: begin -->\n{text}<!-- {label}: end -->\n\nBelow.\n"


def written(params: Params, label: str) -> str:
    """What `write_pages` puts between the marks of this label."""
    path = Path("docs/page.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text(page(label, "old\n"))
    write_pages(params)
    head, tail = page(label).split("begin -->\n")
    text = path.read_text()
    assert text.startswith(f"{head}begin -->\n\n") and text.endswith(f"\n\n{tail}")
    return text.removeprefix(f"{head}begin -->\n\n").removesuffix(f"\n{tail}")


def test_readme_gets_the_comparisons_without_the_published_figures(params: Params) -> None:
    digits = compare_digits()
    third = compare("mnist", ["third"], Path("metrics"), [])
    write_json(Path("metrics/comparison/mnist.json"), third)
    write_pages(params)
    expected = README.replace(
        "old\n", f"\n### digits\n\n{comparison_table(digits)}\n### mnist\n\n{comparison_table(third)}\n"
    )
    assert Path("README.md").read_text() == expected
    assert "figure" not in expected


def test_a_second_time_changes_nothing(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    compare_digits()
    Path("docs").mkdir()
    Path("docs/page.md").write_text(page("published digits") + page("classes digits"))
    Path("docs/plain.md").write_text("No marks.\n")
    write_pages(params)
    assert capsys.readouterr().out == "wrote README.md\nwrote docs/page.md\n"
    first = Path("docs/page.md").read_text()
    write_pages(params)
    assert capsys.readouterr().out == ""
    assert Path("docs/page.md").read_text() == first


def test_published_figures_are_those_of_the_comparison(params: Params) -> None:
    assert written(params, "published digits") == "Not run yet: `dvc repro compare@digits`.\n"
    assert written(params, "published digits") != published_table(rows := compare_digits())
    assert written(params, "published digits") == published_table(rows)


def test_study_is_that_of_its_file(params: Params) -> None:
    assert written(params, "study width") == "Not run yet: `dvc repro study@width`.\n"
    metrics = Path("metrics/digits")
    write_json(Path("metrics/studies/width.json"), study_rows(study_curves(["small", "large"], metrics), metrics))
    text = written(params, "study width")
    assert text == study_table(read_json(Path("metrics/studies/width.json")))
    assert "| `small` | 1 | last: 1 | 1.0000 |" in text
    assert "| `large` |  | not run |" in text


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
    write_results("large", {"cat": 0.5, "dog": 0})
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
    header = """\
| experiment | parameters | trainable | MFLOPs an image | training images/s | inference images/s \
| training memory, MB | batch | test accuracy |
|---|---|---|---|---|---|---|---|---|
"""
    assert written(params, "costs digits") == (
        f"{header}| `small` | not measured |  |  |  |  |  |  | 0.8000 |\n"
        "| `large` | not measured |  |  |  |  |  |  | not run |\n"
    )
    by_library = dict.fromkeys(["training_images_per_second", "training_memory_mb"])
    write_json(Path("metrics/costs/small.json"), COSTS | {"trainable_parameters": 5130})
    write_json(Path("metrics/costs/large.json"), COSTS | by_library)
    lines = """\
| `small` | 61,706 | 5,130 | 1.23 | 15,000 | 54,321 | 12.3 | 64 | 0.8000 |
| `large` | 61,706 | 61,706 | 1.23 | — | 54,321 | — | 64 | not run |
"""
    assert (
        written(params, "costs digits")
        == f"{header}{lines}\n- Measured on cpu (x86_64, 2 threads), training in bfloat16, inference in float32.\n"
    )
    write_json(Path("metrics/costs/large.json"), COSTS | by_library | {"device": "cuda", "machine": "H100"})
    notes = """\
- `small` — measured on cpu (x86_64, 2 threads), training in bfloat16, inference in float32.
- `large` — measured on cuda (H100), training in bfloat16, inference in float32.
"""
    assert written(params, "costs digits") == f"{header}{lines}\n{notes}"


def test_costs_of_an_earlier_version_are_refused(params: Params) -> None:
    write_json(Path("metrics/costs/small.json"), {"parameters": 61706})
    with pytest.raises(InputError, match=r"small\.json is of an earlier version of this code: run `reprolab measure`"):
        written(params, "costs digits")


def test_layers_are_those_of_their_file(params: Params) -> None:
    assert written(params, "layers small") == "Not measured yet: `reprolab measure small`.\n"
    conv = {"layer": "0", "type": "Conv2d", "input": "1×28×28", "output": "6×24×24", "maps": 6, "parameters": 156}
    linear = {"layer": "3", "type": "Linear", "input": "784", "output": "512", "maps": "", "parameters": 401920}
    write_csv(Path("metrics/costs/small-layers.csv"), [conv, linear])
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
    compare_digits()
    text = page("layers small") + page("classes mnist")
    Path("docs").mkdir()
    Path("docs/page.md").write_text(text)
    write_pages(params)
    assert Path("docs/page.md").read_text() == text.replace(
        "layers small: begin -->\n", "layers small: begin -->\n\nNot measured yet: `reprolab measure small`.\n\n"
    ).replace("classes mnist: begin -->\n", "classes mnist: begin -->\n\n- Not run: `third`.\n\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            page("tables digits"),
            "<!-- tables digits: begin -->: unknown kind 'tables'; allowed: results, published, study, classes, costs, "
            "layers",
        ),
        (
            page("published digit"),
            "<!-- published digit: begin -->: unknown data set 'digit' (did you mean 'digits'?); allowed: digits,",
        ),
        (page("classes wine"), "<!-- classes wine: begin -->: unknown data set 'wine'; allowed: digits, mnist"),
        (page("costs"), "<!-- costs: begin -->: unknown data set ''; allowed: digits, mnist"),
        (page("study widht"), "<!-- study widht: begin -->: unknown study 'widht' (did you mean 'width'?)"),
        (page("layers big"), "<!-- layers big: begin -->: unknown experiment 'big'; allowed: small, large, third"),
        (
            page("results digits"),
            "<!-- results digits: begin -->: found the name 'digits'; results has none: remove it",
        ),
        (
            "<!-- study width: begin -->\n",
            "<!-- study width: begin --> has no <!-- study width: end --> before the next mark",
        ),
        (
            "<!-- study width: begin -->\n" + page("layers small") + "<!-- study width: end -->\n",
            "<!-- study width: begin --> has no <!-- study width: end --> before the next mark",
        ),
        (
            "<!-- study width: end -->\n<!-- study width: begin -->\n",
            "<!-- study width: end --> has no <!-- study width: begin --> before it",
        ),
    ],
)
def test_a_mistake_is_told_by_page_and_mark_and_no_page_is_written(params: Params, text: str, told: str) -> None:
    compare_digits()
    Path("docs").mkdir()
    pages = {Path("docs/a.md"): page("layers small"), Path("docs/page.md"): text, Path("README.md"): README}
    for path, content in pages.items():
        path.write_text(content)
    with pytest.raises(InputError) as error:
        write_pages(params)
    assert str(error.value).startswith(f"docs/page.md: {told}")
    assert {path: path.read_text() for path in pages} == pages


@pytest.mark.parametrize("text", ["# Title\n", None, "Use `<!-- results: begin -->`.\n"])
def test_the_readme_needs_its_marks(params: Params, text: str | None) -> None:
    readme = Path("README.md")
    readme.unlink()
    if text:
        readme.write_text(text)
    with pytest.raises(InputError, match=r"README\.md lacks the lines <!-- results: begin --> and <!-- results: end"):
        write_pages(params)
    assert (readme.read_text() if readme.exists() else None) == text


def test_a_comparison_of_an_earlier_version_is_told(params: Params) -> None:
    rows = compare_digits()
    write_json(Path("metrics/comparison/digits.json"), [row | {"published": []} for row in rows])
    write_pages(params)
    del rows[0]["published"]
    write_json(Path("metrics/comparison/digits.json"), rows)
    with pytest.raises(InputError, match=r"digits\.json is of an earlier version.*run `dvc repro compare@digits`"):
        write_pages(params)
