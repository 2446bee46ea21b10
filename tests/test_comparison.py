"""The comparison with published figures, from the metrics to the README."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from reprolab.__main__ import BEGIN, END, prune, results
from reprolab.comparison import Row, compare, leftovers, load_baselines, wilson_interval
from reprolab.config import Params, load_params
from reprolab.errors import InputError
from reprolab.files import write_json
from reprolab.tables import comparison_table
from tests.conftest import REPOSITORY

HEADER = "dataset,experiment,metric,value,sheet,condition"
TEST = {
    "accuracy": 0.8,
    "macro_f1": 0.75,
    "loss": 0.5,
    "seeds": 1,
    "images": 10,
    "parameters": 61706,
    "images_per_second": 1000,
    "provenance": "official",
}
SEVERAL_SEEDS = TEST | {"seeds": 3, "accuracy_std": 0.01, "macro_f1_std": 0.02, "loss_std": 0.03}


def published(value: float, experiment: str = "mlp", metric: str = "accuracy") -> Row:
    return {
        "dataset": "digits",
        "experiment": experiment,
        "metric": metric,
        "value": value,
        "sheet": "lab9",
        "condition": "after 5 epochs",
        "stand_in": False,
    }


def one_row(metrics: Path, test: dict[str, Any] | None, *baselines: Row) -> Row:
    metrics.mkdir(exist_ok=True)
    if test:
        write_json(metrics / "mlp" / "test.json", test)
    (row,) = compare("digits", ["mlp"], metrics, baselines)
    return row


def test_wilson_interval_of_eight_in_ten_is_as_by_hand() -> None:
    # z = 1.959964: centre (0.8 + z²/20) / (1 + z²/10) = 0.716740, half width 0.226578.
    assert wilson_interval(0.8, 10) == (0.490162, 0.943318)


@pytest.mark.parametrize("images", [1, 10, 899, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.98, 1.0])
def test_wilson_interval_is_that_of_scipy(share: float, images: int) -> None:
    right = round(share * images)
    expected = binomtest(right, images).proportion_ci(0.95, "wilson")
    assert wilson_interval(right / images, images) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("figure", "lies", "difference"),
    [(0.85, "inside", -0.05), (0.490162, "inside", 0.309838), (0.49, "below", 0.31), (0.9434, "above", -0.1434)],
)
def test_published_accuracy_lies_inside_below_or_above(
    tmp_path: Path, figure: float, lies: str, difference: float
) -> None:
    row = one_row(tmp_path, TEST, published(figure))
    assert (row["published_is"], row["difference"], row["published_accuracy"]) == (lies, difference, figure)
    assert (row["low"], row["high"]) == (0.490162, 0.943318)
    assert (row["sheet"], row["condition"]) == ("lab9", "after 5 epochs")


def test_row_without_a_published_figure_holds_what_was_measured(tmp_path: Path) -> None:
    assert one_row(tmp_path, SEVERAL_SEEDS, published(0.9, "another"), published(0.9) | {"dataset": "mnist"}) == {
        "experiment": "mlp",
        **SEVERAL_SEEDS,
        "low": 0.490162,
        "high": 0.943318,
        **dict.fromkeys(["published_accuracy", "published_macro_f1", "published_loss"]),
        **dict.fromkeys(["difference", "published_is", "sheet", "condition"]),
        "stand_in": False,
    }


def test_experiment_that_was_not_run_still_shows_the_published_figure(tmp_path: Path) -> None:
    row = one_row(tmp_path, None, published(0.9))
    filled = {key: value for key, value in row.items() if value is not None}
    assert filled == {
        "experiment": "mlp",
        "published_accuracy": 0.9,
        "sheet": "lab9",
        "condition": "after 5 epochs",
        "stand_in": False,
    }


def test_rows_keep_the_order_of_the_experiments(tmp_path: Path) -> None:
    assert [row["experiment"] for row in compare("digits", ["b", "c", "a"], tmp_path, [])] == ["b", "c", "a"]


def test_leftovers_are_the_folders_of_experiments_that_are_no_more(tmp_path: Path) -> None:
    for name in ("mlp", "old", "older"):
        (tmp_path / name).mkdir()
    (tmp_path / "note.txt").touch()
    assert leftovers(["mlp", "not-run"], tmp_path) == [tmp_path / "old", tmp_path / "older"]


def test_table_is_as_expected(tmp_path: Path) -> None:
    for name, test in {
        "mlp": TEST,
        "lenet": SEVERAL_SEEDS | {"provenance": "JPEG stand-in (quality 75)"},
        "plain": TEST | {"accuracy": 0.9},
    }.items():
        write_json(tmp_path / name / "test.json", test)
    baselines = [published(0.85), published(0.7, metric="loss"), published(0.4, "lenet"), published(0.95, "not-run")]
    rows = compare("digits", ["mlp", "lenet", "plain", "not-run"], tmp_path, baselines)
    expected = """\
| experiment | seeds | accuracy | 95 % interval | published | difference | published lies | macro-F1 | loss \
| parameters |
|---|---|---|---|---|---|---|---|---|---|
| `mlp` | 1 | 0.8000 | 0.4902 – 0.9433 | 0.8500 | −0.0500 | inside the interval | 0.7500 | 0.5000 (0.7000) | 61,706 |
| `lenet` † | 3 | 0.8000 ± 0.0100 | 0.4902 – 0.9433 | 0.4000 | +0.4000 | below it | 0.7500 ± 0.0200 \
| 0.5000 ± 0.0300 | 61,706 |
| `plain` | 1 | 0.9000 | 0.5958 – 0.9821 | — | — | — | 0.7500 | 0.5000 | 61,706 |
| `not-run` |  | not run |  | 0.9500 |  |  |  |  |  |

- `mlp`, `lenet`, `not-run` — published in lab9: after 5 epochs.
- † trained and tested on a JPEG stand-in (quality 75), not on the official images.
- ± is the standard deviation over the seeds.
- In brackets: the published figure.
"""
    assert comparison_table(rows) == expected


def test_table_of_official_data_has_no_dagger(tmp_path: Path) -> None:
    assert "†" not in comparison_table([one_row(tmp_path, TEST, published(0.9))])


def test_baselines_of_the_repository_are_valid() -> None:
    rows = load_baselines(REPOSITORY / "data" / "baselines.csv")
    assert all(0 < row["value"] < 1 for row in rows)
    assert {row["dataset"] for row in rows} == {"digits", "mnist", "cifar10"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEADER}\ndigits,mlp,accuracy,0.9,s,c\ndigits,mlp,acuracy,0.9,s,c\n",
            "line 3: unknown metric 'acuracy' (did you mean 'accuracy'?); allowed: accuracy, macro_f1, loss",
        ),
        (f"{HEADER}\ndigits,mlp,loss,ca. 5,s,c\n", "line 2: found the value 'ca. 5'; loss is a number from 0 to inf"),
        (
            f"{HEADER}\nd,mlp,accuracy,98.5,s,c\n",
            "line 2: found the value '98.5'; accuracy is a number from 0 to 1",
        ),
        (f"{HEADER}\nd,mlp,loss,1,s,c\nd,mlp,loss,2,s,c\n", "line 3: a second loss of mlp; keep one"),
        (f"{HEADER}\ndigits,mlp,loss,0.5\n", "line 2: lacks sheet, condition"),
        ("dataset,experiment,metric\ndigits,mlp,loss\n", "line 2: lacks value, sheet, condition"),
    ],
    ids=["unknown metric", "not a number", "percent", "twice", "short line", "missing column"],
)
def test_bad_baselines_are_refused_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_baselines(path)
    assert str(error.value) == f"{path}, {message}"


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The repository's params.yaml, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return load_params(REPOSITORY / "params.yaml")


def test_results_go_between_the_marks_of_the_readme(params: Params, tmp_path: Path) -> None:
    sizes = {"digits": 11, "cifar10": 12}
    rows = {name: [one_row(tmp_path / name, TEST | {"parameters": size})] for name, size in sizes.items()}
    for name, content in rows.items():
        write_json(Path("metrics/comparison") / f"{name}.json", content)
    readme = Path("README.md")
    readme.write_text(f"# Title\n\n{BEGIN}old\n{END}\nThe end.\n")
    results(params)
    tables = {name: comparison_table(content) for name, content in rows.items()}
    text = readme.read_text()
    assert text == (
        f"# Title\n\n{BEGIN}\n### digits\n\n{tables['digits']}\n### cifar10\n\n{tables['cifar10']}\n{END}\nThe end.\n"
    )
    results(params)
    assert readme.read_text() == text


def test_results_need_the_marks(params: Params) -> None:
    Path("README.md").write_text("# Title\n")
    with pytest.raises(InputError, match=r"README\.md lacks the lines <!-- results: begin --> and"):
        results(params)
    assert Path("README.md").read_text() == "# Title\n"


def test_prune_removes_leftovers_only(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    kept = [Path("data/splits/old/train.bin"), Path("metrics/comparison/digits.json"), Path("models/.gitignore")]
    kept += [
        Path("metrics") / experiment.dataset / name / "test.json" for name, experiment in params.experiments.items()
    ]
    kept += [Path(folder) / name / "file" for folder in ("models", "figures") for name in params.experiments]
    # lenet5-relu is an experiment, but not one of digits.
    old = [Path("metrics/old"), Path("models/old"), Path("figures/old")]
    old += [Path("metrics/digits/lenet5-relu"), Path("metrics/mnist/old"), Path(".reprolab/checkpoints")]
    for path in [*kept, *(folder / "file" for folder in old)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prune(params)
    assert capsys.readouterr().out == "".join(f"removed {path}\n" for path in old) + "6 removed\n"
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)
    prune(params)
    assert capsys.readouterr().out == "nothing to remove\n"


def test_prune_and_results_in_a_fresh_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = load_params(REPOSITORY / "params.yaml")
    prune(params)
    with pytest.raises(InputError, match="README"):
        results(params)
    Path("README.md").write_text(END + BEGIN)
    with pytest.raises(InputError, match="README"):
        results(params)


@pytest.mark.parametrize("row", ["a,b,accuracy,nan,s,c", "a,b,accuracy,inf,s,c", "a,b,accuracy,0.9,s,after 5, best"])
def test_more_bad_baselines(tmp_path: Path, row: str) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text("dataset,experiment,metric,value,sheet,condition\n" + row + "\n")
    with pytest.raises(InputError, match="line 2"):
        load_baselines(path)
