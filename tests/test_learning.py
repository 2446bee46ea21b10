"""Scores and gaps at the last and the best epochs, from the learning curves to their table."""

from reprolab.reports.learning import learning_rows
from reprolab.reports.record import ComparisonRow, LearningRow
from reprolab.reports.tables import learning_table, progress_table
from reprolab.training.record import Scores, TrainRecord
from tests.result_factories import make_curves, make_evaluation, make_row, make_train_record

LAST = LearningRow(
    moment="last",
    epochs=[2, 2],
    train=Scores(loss=0.05, accuracy=0.95, macro_f1=0.85),
    validation=Scores(loss=0.25, accuracy=0.75, macro_f1=0.65),
    gap=Scores(loss=-0.2, accuracy=0.2, macro_f1=0.2),
)
BEST = LearningRow(
    moment="best",
    epochs=[1, 2],
    train=Scores(loss=0.4, accuracy=0.85, macro_f1=0.84),
    validation=Scores(loss=0.6, accuracy=0.8, macro_f1=0.78),
    gap=Scores(loss=-0.2, accuracy=0.05, macro_f1=0.06),
)


def without_validation() -> TrainRecord:
    names = [name for name in TrainRecord.model_fields if name.startswith("validation")]
    return make_train_record(best_epochs=[2, 2], **dict.fromkeys(names))


def row_with(*learning: LearningRow, name: str = "small") -> ComparisonRow:
    test = make_evaluation(seeds=2, accuracy_std=0.01, macro_f1_std=0.02)
    return make_row(name, **test.model_dump(exclude={"device"}), learning=list(learning))


def test_the_last_and_the_best_epochs_have_a_row_each() -> None:
    # Only the last epoch should count, though the first one is better.
    assert learning_rows(make_curves(), make_train_record()) == [LAST, BEST]


def test_the_order_of_the_curves_is_no_matter() -> None:
    curves = sorted(make_curves(), key=lambda point: (-point.seed, -point.epoch))
    last, _ = learning_rows(curves, make_train_record())
    assert last == LAST


def test_last_epochs_that_are_the_best_have_one_row() -> None:
    assert learning_rows(make_curves(), make_train_record(best_epochs=[2, 2])) == [LAST]


def test_each_seed_has_a_last_epoch_of_its_own() -> None:
    last, best = learning_rows(make_curves(epochs=(3, 4)), make_train_record())
    assert (last.epochs, best.epochs) == ([3, 4], [1, 2])
    assert last.train == LAST.train
    assert [row.moment for row in learning_rows(make_curves(epochs=(1, 2)), make_train_record())] == ["last"]


def test_without_a_validation_part_there_is_no_gap() -> None:
    (row,) = learning_rows(make_curves(parts=["train"]), without_validation())
    assert (row.train.accuracy, row.validation, row.gap) == (0.95, None, None)
    assert "| `small` | 2 | last: 2 | 0.0500 | — | 0.9500 | — | 0.8500 | — | — | 0.8000 ± 0.0100 |" in learning_table(
        [row_with(row)]
    )


def test_table_is_as_expected() -> None:
    assert (
        learning_table([row_with(LAST, BEST), make_row("absent")])
        == """\
| experiment | seeds | epoch | train loss | validation loss | train accuracy | validation accuracy | train macro-F1 \
| validation macro-F1 | accuracy gap | test accuracy | test macro-F1 |
|---|---|---|---|---|---|---|---|---|---|---|---|
| `small` | 2 | last: 2 | 0.0500 | 0.2500 | 0.9500 | 0.7500 | 0.8500 | 0.6500 | +0.2000 |  |  |
|  |  | best: 1, 2 | 0.4000 | 0.6000 | 0.8500 | 0.8000 | 0.8400 | 0.7800 | +0.0500 | 0.8000 ± 0.0100 \
| 0.7500 ± 0.0200 |
| `absent` |  | not run |  |  |  |  |  |  |  |  |  |

- The gap is the accuracy on the training part less that on the validation part.
- The test part is scored with the weights of the best epoch on the validation part.
- Means over the seeds; ± is their standard deviation.
"""
    )


def test_table_of_experiments_whose_last_epochs_are_the_best_has_a_line_each() -> None:
    table = learning_table([row_with(LAST)])
    assert "| `small` | 2 | last: 2 |" in table
    assert "| +0.2000 | 0.8000 ± 0.0100 | 0.7500 ± 0.0200 |" in table
    assert "best" not in table


def test_progress_shows_some_epochs_and_the_last_of_each_experiment() -> None:
    table = progress_table({"short": make_curves(epochs=(4,)), "long": make_curves(epochs=(12, 12)), "absent": None})
    assert (
        table
        == """\
| epoch | `short` | `long` |
|---|---|---|
| 1 | 1.0000 | 1.0000 ± 0.0000 |
| 2 | 1.0000 | 1.0000 ± 0.0000 |
| 3 | 1.0000 | 1.0000 ± 0.0000 |
| 4 | 0.7000 | 1.0000 ± 0.0000 |
| 5 |  | 1.0000 ± 0.0000 |
| 10 |  | 1.0000 ± 0.0000 |
| 12 |  | 0.7500 ± 0.0707 |

- Accuracy on the validation part; ± is the standard deviation over the seeds.
- Not run: `absent`.
"""
    )


def test_without_a_validation_part_there_is_no_progress_to_show() -> None:
    assert progress_table({"trained": make_curves(parts=["train"]), "absent": None}) == "- Not run: `absent`.\n"
