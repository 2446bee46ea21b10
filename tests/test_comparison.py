"""The comparison with published figures, from the metrics to its tables."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from reprolab.comparison import Row, compare, leftovers, load_baselines, wilson_interval
from reprolab.errors import InputError
from reprolab.files import write_csv, write_json
from reprolab.tables import comparison_table, published_table
from tests.conftest import REPOSITORY

HEADER = "dataset,experiment,metric,value,sheet,condition"
TEST = {
    "accuracy": 0.8,
    "macro_f1": 0.75,
    "loss": 0.5,
    "seeds": 1,
    "images": 10,
    "parameters": 61706,
    "trainable_parameters": 61706,
    "images_per_second": 1000,
    "provenance": "official",
}
TRAIN = {"train_accuracy": 0.875, "train_loss": 0.25, "epochs": [1, 2], "seconds": 21.0, "device": "cpu"}
SEVERAL_SEEDS = TEST | {"seeds": 3, "accuracy_std": 0.01, "macro_f1_std": 0.02, "loss_std": 0.03}


def published(value: float, experiment: str = "mlp", metric: str = "accuracy") -> Row:
    return {
        "dataset": "digits",
        "experiment": experiment,
        "metric": metric,
        "value": value,
        "sheet": "lab9",
        "condition": "after 5 epochs",
    }


def write_results(folder: Path, test: dict[str, Any], train: dict[str, Any] = TRAIN) -> None:
    """Results of two seeds that train for three and four epochs: seven in all."""
    write_json(folder / "test.json", test)
    write_json(folder / "train.json", train)
    epochs = [(seed, epoch) for seed, last in ((0, 3), (1, 4)) for epoch in range(1, last + 1)]
    parts = ("train", "validation")
    write_csv(
        folder / "curves.csv",
        [{"seed": seed, "epoch": epoch, "part": part, "loss": 1} for seed, epoch in epochs for part in parts],
    )


def one_row(metrics: Path, test: dict[str, Any] | None, *baselines: Row) -> Row:
    metrics.mkdir(exist_ok=True)
    if test:
        write_results(metrics / "mlp", test)
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
        **dict.fromkeys(["published_accuracy", "difference", "published_is", "sheet", "condition"]),
        "stand_in": False,
        "published": [],
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
        "published": [figure("accuracy", 0.9, "not run")],
    }


def test_the_scores_of_a_former_training_are_no_result(tmp_path: Path) -> None:
    # DVC removes what train writes before it trains anew; what evaluate wrote stays.
    write_results(tmp_path / "mlp", TEST)
    (tmp_path / "mlp" / "train.json").unlink()
    (tmp_path / "mlp" / "curves.csv").unlink()
    row = compare("digits", ["mlp"], tmp_path, [published(0.9)])[0]
    assert row["accuracy"] is None and row["published"] == [figure("accuracy", 0.9, "not run")]


def figure(metric: str, value: float, status: str, **measured: Any) -> Row:
    empty = dict.fromkeys(["measured", "measured_std", "difference", "device"])
    row = {"metric": metric, "value": value, "sheet": "lab9", "condition": "after 5 epochs"}
    return row | empty | {"status": status} | measured


@pytest.mark.parametrize(
    ("metric", "value", "measured", "deviation", "difference"),
    [
        ("accuracy", 0.9, 0.8, 0.01, -0.1),
        ("macro_f1", 0.75, 0.75, 0.02, 0.0),
        ("loss", 0.4, 0.5, 0.03, 0.1),
        ("train_accuracy", 0.75, 0.875, None, 0.125),
        ("parameters", 61706, 61706, None, 0.0),
        ("epoch_seconds", 22, 3.0, None, None),  # 21 seconds for seven epochs, of which curves.csv has two lines each
    ],
)
def test_published_figure_stands_beside_the_measured_one(
    tmp_path: Path, metric: str, value: float, measured: float, deviation: float | None, difference: float | None
) -> None:
    (row,) = one_row(tmp_path, SEVERAL_SEEDS, published(value, metric=metric))["published"]
    result = {"measured": measured, "measured_std": deviation, "difference": difference, "device": "cpu"}
    assert row == figure(metric, value, "measured", **result)


@pytest.mark.parametrize("metric", ["best_epoch_accuracy", "accuracy_after_epoch_3"])
@pytest.mark.parametrize("test", [None, TEST], ids=["not run", "run"])
def test_figures_of_single_epochs_have_no_counterpart(tmp_path: Path, metric: str, test: Any) -> None:
    row = one_row(tmp_path, test, published(0.9, metric=metric))
    assert row["published"] == [figure(metric, 0.9, "not measured")]
    assert row["published_accuracy"] is None


def test_rows_keep_the_order_of_the_experiments(tmp_path: Path) -> None:
    assert [row["experiment"] for row in compare("digits", ["b", "c", "a"], tmp_path, [])] == ["b", "c", "a"]


def test_leftovers_are_the_folders_of_experiments_that_are_no_more(tmp_path: Path) -> None:
    for name in ("mlp", "old", "older"):
        (tmp_path / name).mkdir()
    (tmp_path / "note.txt").touch()
    assert leftovers(["mlp", "not-run"], tmp_path) == [tmp_path / "old", tmp_path / "older"]


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    for name, test in {
        "mlp": TEST,
        "lenet": SEVERAL_SEEDS | {"provenance": "JPEG stand-in (quality 75)"},
        "plain": TEST | {"accuracy": 0.9, "trainable_parameters": 5130},
    }.items():
        write_results(tmp_path / name, test)
    baselines = [
        published(0.85),
        published(0.7, metric="loss"),
        published(22, metric="epoch_seconds"),
        published(0.55, metric="accuracy_after_epoch_2"),
        published(0.4, "lenet"),
        published(0.95, "lenet", "best_epoch_accuracy"),
        published(0.9, "lenet", "train_accuracy"),
        published(61000, "lenet", "parameters"),
        published(0.95, "not-run"),
    ]
    return compare("digits", ["mlp", "lenet", "plain", "not-run"], tmp_path, baselines)


def test_table_is_as_expected(rows: list[Row]) -> None:
    expected = """\
| experiment | seeds | accuracy | 95 % interval | published | difference | published is | macro-F1 | loss \
| parameters |
|---|---|---|---|---|---|---|---|---|---|
| `mlp` | 1 | 0.8000 | 0.4902 – 0.9433 | 0.8500 | −0.0500 | inside the interval | 0.7500 | 0.5000 | 61,706 |
| `lenet` † | 3 | 0.8000 ± 0.0100 | 0.4902 – 0.9433 | 0.4000 | +0.4000 | below it | 0.7500 ± 0.0200 \
| 0.5000 ± 0.0300 | 61,706 |
| `plain` | 1 | 0.9000 | 0.5958 – 0.9821 | — | — | — | 0.7500 | 0.5000 | 61,706 (5,130 trainable) |
| `not-run` |  | not run |  | 0.9500 |  |  |  |  |  |

- `mlp`, `lenet`, `not-run` — published in lab9: after 5 epochs.
- † trained and tested on a JPEG stand-in (quality 75), not on the official images.
- ± is the standard deviation over the seeds.
"""
    assert comparison_table(rows) == expected


def test_table_of_published_figures_is_as_expected(rows: list[Row]) -> None:
    expected = """\
| experiment | figure | published | measured | difference | sheet and condition |
|---|---|---|---|---|---|
| `mlp` | accuracy | 0.8500 | 0.8000 | −0.0500 | lab9: after 5 epochs |
| `mlp` | loss | 0.7000 | 0.5000 | −0.2000 | lab9: after 5 epochs |
| `mlp` | seconds an epoch | 22.0 | 3.0 on cpu |  | lab9: after 5 epochs |
| `mlp` | accuracy after epoch 2 | 0.5500 | not measured |  | lab9: after 5 epochs |
| `lenet` † | accuracy | 0.4000 | 0.8000 ± 0.0100 | +0.4000 | lab9: after 5 epochs |
| `lenet` † | accuracy of the best epoch | 0.9500 | not measured |  | lab9: after 5 epochs |
| `lenet` † | train accuracy | 0.9000 | 0.8750 | −0.0250 | lab9: after 5 epochs |
| `lenet` † | parameters | 61,000 | 61,706 | +706 | lab9: after 5 epochs |
| `not-run` | accuracy | 0.9500 | not run |  | lab9: after 5 epochs |

- Not measured: the sheet looked at the test set after each epoch; here it is read once, after the training.
- Train accuracy is counted while the epoch's steps change the weights.
- Seconds an epoch are those of another machine than the authors'.
- † trained and tested on a JPEG stand-in (quality 75), not on the official images.
- ± is the standard deviation over the seeds.
"""
    assert published_table(rows) == expected


def test_a_figure_that_is_met_exactly_has_no_sign(tmp_path: Path) -> None:
    table = published_table([one_row(tmp_path, TEST, published(61706, metric="parameters"))])
    assert "| `mlp` | parameters | 61,706 | 61,706 | 0 | lab9" in table


def test_table_without_published_figures_says_so(tmp_path: Path) -> None:
    assert published_table([one_row(tmp_path, TEST)]) == "No figures are published for these experiments.\n"


def test_table_of_official_data_has_no_dagger(tmp_path: Path) -> None:
    assert "†" not in comparison_table([one_row(tmp_path, TEST, published(0.9))])


# Every figure that the lab sheets publish.
FROM_THE_SHEETS = {
    ("mnist", "lenet5-classic", "lab9"): {
        "accuracy": 0.9858,
        "macro_f1": 0.9856,
        "loss": 0.0493,
        "epoch_seconds": 22,
        "accuracy_after_epoch_1": 0.9386,
        "accuracy_after_epoch_2": 0.9687,
        "accuracy_after_epoch_3": 0.9775,
        "accuracy_after_epoch_4": 0.9806,
        "accuracy_after_epoch_5": 0.9858,
    },
    ("mnist", "lenet5-relu", "lab7"): {
        "accuracy": 0.9891,
        "best_epoch_accuracy": 0.9910,
        "train_accuracy": 0.9952,
    },
    ("mnist", "lenet5-padded", "practice2"): {"parameters": 61706},
    ("mnist", "mlp-512", "practice2"): {"parameters": 669706},
    ("cifar10", "alexnet32", "lab9"): {
        "accuracy": 0.8287,
        "macro_f1": 0.8306,
        "loss": 0.4930,
        "epoch_seconds": 238,
        "accuracy_after_epoch_1": 0.2955,
        "accuracy_after_epoch_2": 0.4044,
        "accuracy_after_epoch_3": 0.4812,
        "accuracy_after_epoch_4": 0.5558,
        "accuracy_after_epoch_5": 0.6263,
        "accuracy_after_epoch_6": 0.6398,
        "accuracy_after_epoch_7": 0.6803,
    },
    ("cifar10", "alexnet224", "challenge"): {"accuracy": 0.6159, "train_accuracy": 0.7608},
    ("cifar10", "alexnet227", "challenge"): {"accuracy": 0.8034, "train_accuracy": 0.9632},
    ("cifar10", "alexnet-pretrained", "challenge"): {"accuracy": 0.93},
    ("cifar10", "resnet50-finetune", "challenge"): {"accuracy": 0.67},
    ("digits", "digits-mlp", "scikit-learn's digits example"): {"accuracy": 0.97},
    ("digits", "digits-lenet5", "scikit-learn's digits example"): {"accuracy": 0.97},
}


def test_baselines_of_the_repository_are_those_of_the_sheets() -> None:
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in load_baselines(REPOSITORY / "data" / "baselines.csv"):
        found.setdefault((row["dataset"], row["experiment"], row["sheet"]), {})[row["metric"]] = row["value"]
    assert found == FROM_THE_SHEETS


def test_the_fastest_epoch_comes_with_its_range() -> None:
    rows = load_baselines(REPOSITORY / "data" / "baselines.csv")
    assert {row["experiment"]: row["condition"] for row in rows if row["metric"] == "epoch_seconds"} == {
        "lenet5-classic": "22 to 30 s on the authors' CPU",
        "alexnet32": "238 to 294 s on the authors' CPU",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEADER}\ndigits,mlp,accuracy,0.9,s,c\ndigits,mlp,acuracy,0.9,s,c\n",
            "line 3: unknown metric 'acuracy' (did you mean 'accuracy'?); allowed: accuracy, macro_f1, loss, "
            "train_accuracy, parameters, epoch_seconds, best_epoch_accuracy, accuracy_after_epoch_<n>",
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


@pytest.mark.parametrize(
    "row",
    [
        "a,b,accuracy,nan,s,c",
        "a,b,accuracy,inf,s,c",
        "a,b,accuracy,0.9,s,after 5, best",
        "a,b,accuracy_after_epoch_0,0.9,s,c",
        "a,b,accuracy_after_epoch_5,98,s,c",
        "a,b,best_epoch_accuracy,1.1,s,c",
        "a,b,parameters,-1,s,c",
        "a,b,epoch_seconds,22-30,s,c",
    ],
)
def test_more_bad_baselines(tmp_path: Path, row: str) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text("dataset,experiment,metric,value,sheet,condition\n" + row + "\n")
    with pytest.raises(InputError, match="line 2"):
        load_baselines(path)
