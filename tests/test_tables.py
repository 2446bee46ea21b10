"""The tables of comparisons and of costs."""

from pathlib import Path

import pytest

from reprolab.reports.comparison import compare
from reprolab.reports.record import ComparisonRow, PublishedFigure
from reprolab.reports.tables import CostsRow, comparison_table, costs_table, published_table
from tests.result_factories import (
    SEVERAL_SEEDS,
    make_baseline,
    make_costs,
    make_curves,
    make_evaluation,
    make_row,
    make_train_record,
    write_results,
)


@pytest.fixture
def rows(tmp_path: Path) -> list[ComparisonRow]:
    train = make_train_record(train_accuracy=0.875)
    for name, test in {
        "mlp": make_evaluation(),
        "lenet": make_evaluation(**SEVERAL_SEEDS, provenance="JPEG stand-in (quality 75)"),
        "plain": make_evaluation(accuracy=0.9, trainable_parameters=5130),
    }.items():
        write_results(tmp_path / name, test, train, make_curves(epochs=(3, 4)))
    baselines = [
        make_baseline(0.85),
        make_baseline(0.7, metric="loss"),
        make_baseline(22, metric="epoch_seconds"),
        make_baseline(0.55, metric="validation_macro_f1", epoch=2),
        make_baseline(0.55, metric="validation_accuracy", epoch=5),
        make_baseline(0.4, "lenet"),
        make_baseline(0.95, "lenet", "best_epoch_accuracy"),
        make_baseline(0.9, "lenet", "train_accuracy"),
        make_baseline(61000, "lenet", "parameters"),
        make_baseline(0.95, "not-run"),
    ]
    return compare("digits", ["mlp", "lenet", "plain", "not-run"], tmp_path, baselines, curves=False)


def test_comparison_table_is_as_expected(rows: list[ComparisonRow]) -> None:
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


def test_table_of_published_figures_is_as_expected(rows: list[ComparisonRow]) -> None:
    expected = """\
| experiment | figure | published | measured | difference | sheet and condition |
|---|---|---|---|---|---|
| `mlp` | accuracy | 0.8500 | 0.8000 | −0.0500 | lab9: after 5 epochs |
| `mlp` | loss | 0.7000 | 0.5000 | −0.2000 | lab9: after 5 epochs |
| `mlp` | validation macro-F1 after epoch 2 | 0.5500 | 0.9000 ± 0.0000 | +0.3500 | lab9: after 5 epochs |
| `mlp` | validation accuracy after epoch 5 | 0.5500 | not measured |  | lab9: after 5 epochs |
| `lenet` † | accuracy | 0.4000 | 0.8000 ± 0.0100 | +0.4000 | lab9: after 5 epochs |
| `lenet` † | accuracy of the best epoch | 0.9500 | not measured |  | lab9: after 5 epochs |
| `lenet` † | train accuracy | 0.9000 | 0.8750 | −0.0250 | lab9: after 5 epochs |
| `lenet` † | parameters | 61,000 | 61,706 | +706 | lab9: after 5 epochs |
| `not-run` | accuracy | 0.9500 | not run |  | lab9: after 5 epochs |

- Not measured: the sheet looked at the test set after each epoch; here it is read once, after the training.
- Not measured after an epoch: the training had no such part, or fewer epochs.
- Train accuracy is counted while the epoch's steps change the weights.
- † trained and tested on a JPEG stand-in (quality 75), not on the official images.
- ± is the standard deviation over the seeds.
"""
    assert published_table(rows) == expected


def test_a_figure_that_is_met_exactly_has_no_sign() -> None:
    met = PublishedFigure(
        metric="parameters", value=61706, sheet="lab9", condition="", measured=61706, difference=0, status="measured"
    )
    assert "| `mlp` | parameters | 61,706 | 61,706 | 0 | lab9" in published_table([make_row(published=[met])])


def test_table_without_published_figures_says_so() -> None:
    assert published_table([make_row()]) == "No figures are published for these experiments.\n"


def test_table_of_official_data_has_no_dagger(rows: list[ComparisonRow]) -> None:
    assert "†" in comparison_table(rows)
    assert "†" not in comparison_table([row for row in rows if row.experiment != "lenet"])


COSTS_HEADER = """\
| experiment | parameters | trainable | MFLOPs an image | training images/s | inference images/s \
| seconds an epoch | published | training memory, MB | batch | test accuracy |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def test_costs_that_were_not_measured_leave_the_accuracy() -> None:
    rows = [CostsRow("small", None, make_evaluation(), published_seconds=22), CostsRow("large", None, None)]
    assert costs_table(rows) == (
        f"{COSTS_HEADER}| `small` | not measured |  |  |  |  |  | 22.0 |  |  | 0.8000 |\n"
        "| `large` | not measured |  |  |  |  |  | — |  |  | not run |\n"
        "\n- Published seconds are those of the authors' machine.\n"
    )


def test_costs_say_on_what_they_were_measured() -> None:
    small = make_costs(trainable_parameters=5130)
    by_library = make_costs(training_images_per_second=None, training_memory_mb=None, epoch_seconds=None)
    lines = """\
| `small` | 61,706 | 5,130 | 1.23 | 15,000 | 54,321 | 3.2 | 22.0 | 12.3 | 64 | 0.8000 ± 0.0100 |
| `large` | 61,706 | 61,706 | 1.23 | — | 54,321 | — | — | — | 64 | not run |
"""
    about_seconds = """\
- Seconds an epoch follow from the images/s in training.
- Published seconds are those of the authors' machine.
"""
    note = "- Measured on cpu (x86_64, 2 threads), training in bfloat16, inference in float32.\n"
    first = CostsRow("small", small, make_evaluation(**SEVERAL_SEEDS), published_seconds=22)
    expected = f"{COSTS_HEADER}{lines}\n{note}{about_seconds}"
    assert costs_table([first, CostsRow("large", by_library, None)]) == expected
    elsewhere = by_library.model_copy(update={"device": "cuda", "machine": "H100"})
    notes = """\
- `small` — measured on cpu (x86_64, 2 threads), training in bfloat16, inference in float32.
- `large` — measured on cuda (H100), training in bfloat16, inference in float32.
"""
    expected = f"{COSTS_HEADER}{lines}\n{notes}{about_seconds}"
    assert costs_table([first, CostsRow("large", elsewhere, None)]) == expected
