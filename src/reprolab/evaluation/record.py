"""What an evaluation and a measurement of costs leave behind, as types: their results, and the rows of their files.

Without PyTorch, so that who only reads these files starts fast.
"""

from typing import ClassVar

from pydantic import ConfigDict, Field

from reprolab.core.files import Record


class EvaluationRecord(Record):
    """`test.json`: scores on the test part, as means over the seeds with their standard deviation.

    `images` is the size of the test part. `trainable_parameters` counts those that are not frozen. `provenance` is that
    of the data.
    """

    made_by: ClassVar[str] = "dvc repro -f evaluate@{folder}"

    loss: float
    loss_std: float | None = None
    accuracy: float
    accuracy_std: float | None = None
    macro_f1: float
    macro_f1_std: float | None = None
    seeds: int
    images: int
    parameters: int
    trainable_parameters: int
    device: str
    provenance: str


class ClassRow(Record):
    """A row of `classes.csv`: the scores of one class over all seeds; `images` is its size in the test part."""

    made_by: ClassVar[str] = "dvc repro -f evaluate@{folder}"
    model_config = ConfigDict(populate_by_name=True)  # the column's name is a word of Python

    name: str = Field(alias="class")
    images: int
    precision: float
    recall: float
    f1: float
    accuracy: float


class ConfusionRow(Record):
    """A row of `confusion.csv`: how often one class was taken for another, by all seeds, and as a share of `actual`."""

    made_by: ClassVar[str] = "dvc repro -f evaluate@{folder}"

    actual: str
    predicted: str
    count: int
    share: float


class Costs(Record):
    """`costs/<experiment>.json`: what an architecture costs, as `evaluation.costs.costs` measures it; sizes in MB.

    `epoch_seconds` is the experiment's number of training examples over the rate of training.

    A network that a library fits has no figures of training, and the file says so: its null differs from a figure
    that is missing.
    """

    made_by: ClassVar[str] = "reprolab measure"
    keeps_none: ClassVar[bool] = True

    parameters: int
    flops_per_image: int
    weights_mb: float
    training_memory_mb: float | None
    batch_size: int
    training_images_per_second: int | None
    inference_images_per_second: int
    device: str
    precision: str
    machine: str
    trainable_parameters: int
    epoch_seconds: float | None = None


class LayerRow(Record):
    """A row of `costs/<experiment>-layers.csv`: sizes of one example, as in `6×28×28`; `maps` only where there are
    feature maps."""

    made_by: ClassVar[str] = "reprolab measure"

    layer: str
    type: str
    input: str
    output: str
    maps: int | None = None
    parameters: int
