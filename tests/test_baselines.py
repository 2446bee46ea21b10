"""Published figures: those of the repository, and how bad ones are refused."""

from pathlib import Path

import pytest

from reprolab.core.errors import InputError
from reprolab.reports.baselines import Baseline, load_baselines
from tests.factories import REPOSITORY

HEADER = "dataset,experiment,metric,epoch,value,sheet,condition"
# Every figure that the lab sheets publish, of a whole training or after an epoch.
FROM_THE_SHEETS: dict[tuple[str, str, str], dict[tuple[str, int | None], float]] = {
    ("mnist", "lenet5-classic", "lab9"): {
        ("accuracy", None): 0.9858,
        ("macro_f1", None): 0.9856,
        ("loss", None): 0.0493,
        ("epoch_seconds", None): 22,
    },
    ("mnist", "lenet5-classic-validated", "lab9"): {
        ("validation_accuracy", epoch): value for epoch, value in enumerate((0.9386, 0.9687, 0.9775, 0.9806, 0.9858), 1)
    },
    ("mnist", "lenet5-relu", "lab7"): {
        ("accuracy", None): 0.9891,
        ("best_epoch_accuracy", None): 0.9910,
        ("train_accuracy", None): 0.9952,
    },
    ("cifar10", "alexnet32", "lab9"): {
        ("accuracy", None): 0.8287,
        ("macro_f1", None): 0.8306,
        ("loss", None): 0.4930,
        ("epoch_seconds", None): 238,
    },
    ("cifar10", "alexnet32-validated", "lab9"): {
        ("validation_accuracy", epoch): value
        for epoch, value in enumerate((0.2955, 0.4044, 0.4812, 0.5558, 0.6263, 0.6398, 0.6803), 1)
    },
    ("cifar10", "alexnet224", "challenge"): {("accuracy", None): 0.6159, ("train_accuracy", None): 0.7608},
    ("cifar10", "alexnet227", "challenge"): {("accuracy", None): 0.8034, ("train_accuracy", None): 0.9632},
    ("cifar10", "alexnet-pretrained", "challenge"): {("accuracy", None): 0.93},
    ("cifar10", "resnet50-finetune", "challenge"): {("accuracy", None): 0.67},
    ("digits", "digits-mlp", "scikit-learn's digits example"): {("accuracy", None): 0.97},
    ("digits", "digits-lenet5", "scikit-learn's digits example"): {("accuracy", None): 0.97},
}


def test_baselines_of_the_repository_are_those_of_the_sheets() -> None:
    found: dict[tuple[str, str, str], dict[tuple[str, int | None], float]] = {}
    for row in load_baselines(REPOSITORY / "data" / "baselines.csv"):
        found.setdefault((row.dataset, row.experiment, row.sheet), {})[row.metric, row.epoch] = row.value
    assert found == FROM_THE_SHEETS


def test_only_lab9_says_that_it_chose_on_the_test_set() -> None:
    rows = load_baselines(REPOSITORY / "data" / "baselines.csv")
    assert {row.sheet for row in rows if "chosen on the test set" in row.condition} == {"lab9"}


def test_the_fastest_epoch_comes_with_its_range() -> None:
    rows = load_baselines(REPOSITORY / "data" / "baselines.csv")
    assert {row.experiment: row.condition for row in rows if row.metric == "epoch_seconds"} == {
        "lenet5-classic": "22 to 30 s on the authors' CPU",
        "alexnet32": "238 to 294 s on the authors' CPU",
    }


def test_a_column_of_ones_own_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text(f"note,{HEADER}\nmine,digits,mlp,parameters,,61706,lab9,\n")
    assert load_baselines(path) == [
        Baseline(dataset="digits", experiment="mlp", metric="parameters", value=61706, sheet="lab9", condition="")
    ]


def test_a_byte_order_mark_as_spreadsheets_write_it_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text(f"{HEADER}\ndigits,mlp,accuracy,,0.9,s,after 5 – best\n", encoding="utf-8-sig")
    (row,) = load_baselines(path)
    assert (row.dataset, row.condition) == ("digits", "after 5 – best")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEADER}\ndigits,mlp,accuracy,,0.9,s,c\ndigits,mlp,acuracy,,0.9,s,c\n",
            "line 3: unknown metric of a training 'acuracy' (did you mean 'accuracy'?); allowed: "
            "accuracy, macro_f1, loss, train_accuracy, parameters, epoch_seconds, best_epoch_accuracy",
        ),
        (
            f"{HEADER}\ndigits,mlp,accuracy,3,0.9,s,c\n",
            "line 2: unknown metric of an epoch 'accuracy' (did you mean 'train_accuracy'?); allowed: train_loss, "
            "train_accuracy, train_macro_f1, validation_loss, validation_accuracy, validation_macro_f1",
        ),
        (
            f"{HEADER}\ndigits,mlp,train_loss,0,0.9,s,c\n",
            "line 2: found the epoch '0'; it is a whole number from 1 on, or empty",
        ),
        (f"{HEADER}\ndigits,mlp,loss,,ca. 5,s,c\n", "line 2: found the value 'ca. 5'; loss is a number from 0 to inf"),
        (
            f"{HEADER}\nd,mlp,accuracy,,98.5,s,c\n",
            "line 2: found the value '98.5'; accuracy is a number from 0 to 1",
        ),
        (f"{HEADER}\nd,mlp,loss,,1,s,c\nd,mlp,loss,,2,s,c\n", "line 3: a second loss of mlp; keep one"),
        (
            f"{HEADER}\nd,mlp,train_loss,1,1,s,c\nd,mlp,train_loss,2,1,s,c\nd,mlp,train_loss,2,2,s,c\n",
            "line 4: a second train_loss of mlp after epoch 2; keep one",
        ),
        (f"{HEADER}\ndigits,mlp,loss,,0.5\n", "line 2: lacks sheet, condition"),
        (
            "dataset,experiment,metric\ndigits,mlp,loss\n",
            "line 1: lacks epoch, value, sheet, condition; the columns are dataset,experiment,metric,epoch,value,sheet,"
            "condition",
        ),
    ],
    ids=[
        *("unknown metric", "no metric of an epoch", "no epoch", "not a number", "percent", "twice", "twice an epoch"),
        *("short line", "missing column"),
    ],
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
        "a,b,accuracy,,nan,s,c",
        "a,b,accuracy,,inf,s,c",
        "a,b,accuracy,,0.9,s,after 5, best",
        "a,b,validation_accuracy,,0.9,s,c",
        "a,b,validation_accuracy,5,98,s,c",
        "a,b,validation_accuracy,-1,0.9,s,c",
        "a,b,validation_accuracy,²,0.9,s,c",
        "a,b,train_loss,five,0.9,s,c",
        "a,b,best_epoch_accuracy,,1.1,s,c",
        "a,b,parameters,,-1,s,c",
        "a,b,epoch_seconds,,22-30,s,c",
    ],
)
def test_more_bad_baselines(tmp_path: Path, row: str) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InputError, match="line 2"):
        load_baselines(path)
