"""The rows of a comparison, as types.

Without PyTorch and Matplotlib, so that who only reads these rows starts fast.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from reprolab.core.files import Record, read_json, write_json
from reprolab.training.record import Scores


class PublishedFigure(Record):
    """A published figure beside the measured one, with its standard deviation over the seeds; of the whole training, or
    after one `epoch`.

    `status` is "not measured" where this lab has no such figure.
    """

    metric: str
    epoch: int | None = None
    value: float
    sheet: str
    condition: str
    measured: float | None = None
    measured_std: float | None = None
    difference: float | None = None
    status: Literal["measured", "not run", "not measured"]


class LearningRow(Record):
    """Scores on the training and the validation part, as means over the seeds: after the last epochs, or after the best
    ones, whose weights are those of the model.

    `epochs` has one epoch a seed. `gap` is train less validation: small in underfitting, wide in overfitting. Without
    a validation part it is None too.
    """

    moment: Literal["last", "best"]
    epochs: list[int]
    train: Scores
    validation: Scores | None
    gap: Scores | None


class ComparisonRow(Record):
    """An experiment in a comparison: its scores on the test part beside the published figures.

    All that is measured is None for one that has not run. `low` and `high` bound Wilson's 95 % interval of the accuracy
    on this many test images, and `published_is` says where the published accuracy lies: inside it, below or above.
    `difference` is measured less published. `stand_in` is true where the data are not the official ones. `learning`
    has the last epochs and, where they are others, the best ones; it is empty where curves are not asked for.
    """

    experiment: str
    accuracy: float | None = None
    accuracy_std: float | None = None
    macro_f1: float | None = None
    macro_f1_std: float | None = None
    loss: float | None = None
    loss_std: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    published_is: Literal["inside", "below", "above"] | None = None
    published_accuracy: float | None = None
    sheet: str | None = None
    condition: str | None = None
    seeds: int | None = None
    images: int | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    provenance: str | None = None
    stand_in: bool
    published: list[PublishedFigure]
    learning: list[LearningRow]

    @property
    def has_run(self) -> bool:
        return self.accuracy is not None


def load_rows(path: Path) -> list[ComparisonRow]:
    """Raises `InputError` when the file is missing, damaged or of another version."""
    return read_json(path, list[ComparisonRow])


def save_rows(path: Path, rows: Sequence[ComparisonRow]) -> None:
    """With a null for each None, so that all rows have the keys that `dvc plots` reads."""
    write_json(path, [row.model_dump(mode="json") for row in rows])
