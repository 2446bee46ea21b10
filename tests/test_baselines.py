"""Published figures: those of the repository, and how bad ones are refused."""

from pathlib import Path

import pytest

from reprolab.core.errors import InputError
from reprolab.reports.baselines import Baseline, load_baselines
from tests.factories import REPOSITORY

HEADER = "dataset,experiment,metric,value,sheet,condition"
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
        found.setdefault((row.dataset, row.experiment, row.sheet), {})[row.metric] = row.value
    assert found == FROM_THE_SHEETS


def test_the_fastest_epoch_comes_with_its_range() -> None:
    rows = load_baselines(REPOSITORY / "data" / "baselines.csv")
    assert {row.experiment: row.condition for row in rows if row.metric == "epoch_seconds"} == {
        "lenet5-classic": "22 to 30 s on the authors' CPU",
        "alexnet32": "238 to 294 s on the authors' CPU",
    }


def test_a_column_of_ones_own_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "baselines.csv"
    path.write_text(f"note,{HEADER}\nmine,digits,mlp,parameters,61706,lab9,\n")
    assert load_baselines(path) == [
        Baseline(dataset="digits", experiment="mlp", metric="parameters", value=61706, sheet="lab9", condition="")
    ]


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
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InputError, match="line 2"):
        load_baselines(path)
