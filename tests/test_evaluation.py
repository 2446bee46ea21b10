"""What a trained experiment scores, and the files of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reprolab.core.errors import InputError
from reprolab.core.files import read_table, write_table
from reprolab.data.parts import SplitInfo, load_part
from reprolab.evaluation.evaluate import Evaluation, evaluate
from reprolab.evaluation.record import ClassRow, ConfusionRow, Costs, EvaluationRecord, LayerRow
from reprolab.models.classifier import predict
from reprolab.models.folder import save_weights
from reprolab.training.record import Scores
from reprolab.training.scores import score_logits
from tests.factories import REPOSITORY, make_experiment, make_model_info, save_untrained


@pytest.fixture
def evaluation() -> Evaluation:
    """Two seeds on five images: four cats (three found by one seed, two by the other) and a dog, always found."""
    return Evaluation(
        scores={
            0: Scores(loss=1.0, accuracy=0.8, macro_f1=0.5),
            1: Scores(loss=2.0, accuracy=0.6, macro_f1=0.5),
        },
        confusion=np.array([[5, 3], [0, 2]]),
        classes=["cat", "dog"],
        parameters=12,
        trainable=7,
        images=5,
        device="cpu",
        provenance="official",
        classifiers={},
        logits=torch.empty(5, 2),
    )


@pytest.mark.parametrize("weight", [float("nan"), 1e38])
def test_answers_that_are_not_finite_are_refused(weight: float, split_folder: Path, tmp_path: Path) -> None:
    info = make_model_info()
    (classifier,) = save_untrained(tmp_path / "model", info).values()
    weights = {name: torch.full_like(value, weight) for name, value in classifier.state_dict().items()}
    save_weights(tmp_path / "model", 0, weights | {"mean": torch.tensor([0.5]).view(1, 1, 1, 1)})
    with pytest.raises(InputError, match=r"^experiments.small: the answers of seed 0 on the test part are not finite"):
        evaluate(tmp_path / "model", load_part(split_folder, "test"))


def test_class_rows_score_each_class_over_all_seeds(evaluation: Evaluation) -> None:
    assert evaluation.class_rows() == [
        ClassRow(name="cat", images=4, precision=1.0, recall=0.625, f1=0.769231, accuracy=0.7),
        ClassRow(name="dog", images=1, precision=0.4, recall=1.0, f1=0.571429, accuracy=0.7),
    ]


def test_confusion_rows_hold_counts_and_shares_of_the_actual_class(evaluation: Evaluation) -> None:
    assert evaluation.confusion_rows() == [
        ConfusionRow(actual="cat", predicted="cat", count=5, share=0.625),
        ConfusionRow(actual="cat", predicted="dog", count=3, share=0.375),
        ConfusionRow(actual="dog", predicted="cat", count=0, share=0.0),
        ConfusionRow(actual="dog", predicted="dog", count=2, share=1.0),
    ]


def test_shares_of_a_row_sum_to_one_and_of_an_absent_class_to_zero(evaluation: Evaluation) -> None:
    confusion = np.random.default_rng(0).integers(0, 1000, (7, 7))
    confusion[3] = 0
    evaluation = replace(evaluation, confusion=confusion, classes=[str(index) for index in range(7)])
    sums = np.array([row.share for row in evaluation.confusion_rows()]).reshape(7, 7).sum(1)
    np.testing.assert_allclose(sums, [1, 1, 1, 0, 1, 1, 1], atol=7e-6)


def test_record_holds_the_means_and_what_they_are_from(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    evaluation.record().save(path)
    assert json.loads(path.read_text()) == {
        "loss": 1.5,
        "loss_std": 0.707107,
        "accuracy": 0.7,
        "accuracy_std": 0.141421,
        "macro_f1": 0.5,
        "macro_f1_std": 0.0,
        "seeds": 2,
        "images": 5,
        "parameters": 12,
        "trainable_parameters": 7,
        "device": "cpu",
        "provenance": "official",
    }
    assert EvaluationRecord.load(path) == evaluation.record()


def test_one_seed_has_no_deviation_in_its_file(evaluation: Evaluation, tmp_path: Path) -> None:
    replace(evaluation, scores={0: evaluation.scores[0]}).record().save(tmp_path / "test.json")
    assert not any(key.endswith("_std") for key in json.loads((tmp_path / "test.json").read_text()))


def test_the_tables_are_read_as_they_were_written(evaluation: Evaluation, tmp_path: Path) -> None:
    write_table(tmp_path / "classes.csv", evaluation.class_rows())
    write_table(tmp_path / "confusion.csv", evaluation.confusion_rows())
    assert (tmp_path / "classes.csv").read_text().startswith("class,images,precision,recall,f1,accuracy\ncat,4,1.0,")
    assert read_table(tmp_path / "classes.csv", ClassRow) == evaluation.class_rows()
    assert read_table(tmp_path / "confusion.csv", ConfusionRow) == evaluation.confusion_rows()


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [("*/*/test.json", EvaluationRecord), ("costs/*.json", Costs)],
)
def test_records_of_the_repository_would_be_written_anew_as_they_are(
    pattern: str, kind: type[EvaluationRecord | Costs], tmp_path: Path
) -> None:
    for path in (REPOSITORY / "metrics").glob(pattern):
        kind.load(path).save(tmp_path / "record.json")
        assert (tmp_path / "record.json").read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [("*/*/classes.csv", ClassRow), ("*/*/confusion.csv", ConfusionRow), ("costs/*-layers.csv", LayerRow)],
)
def test_tables_of_the_repository_would_be_written_anew_as_they_are(
    pattern: str, kind: type[ClassRow | ConfusionRow | LayerRow], tmp_path: Path
) -> None:
    for path in (REPOSITORY / "metrics").glob(pattern):
        write_table(tmp_path / "rows.csv", read_table(path, kind))
        assert (tmp_path / "rows.csv").read_bytes() == path.read_bytes(), path


def test_every_seed_of_a_model_is_scored(split_folder: Path, tmp_path: Path) -> None:
    info, test = SplitInfo.load(split_folder / "split.json"), load_part(split_folder, "test")
    experiment = make_experiment({"seeds": [3, 4]}, init_from="another", freeze="all-but-head")
    classifiers = save_untrained(tmp_path / "small", make_model_info(experiment, info), [3, 4])
    evaluation = evaluate(tmp_path / "small", test)
    assert list(evaluation.classifiers) == list(evaluation.scores) == [3, 4]
    inputs, labels = torch.from_numpy(test.inputs), torch.from_numpy(test.labels)
    for seed, classifier in evaluation.classifiers.items():
        torch.testing.assert_close(predict(classifier, inputs), predict(classifiers[seed], inputs))
        assert evaluation.scores[seed] == score_logits(predict(classifiers[seed], inputs), labels)
    torch.testing.assert_close(evaluation.logits, predict(classifiers[3], inputs))
    assert evaluation.confusion.sum() == 2 * len(test)
    assert evaluation.parameters == sum(parameter.numel() for parameter in classifiers[3].parameters())
    assert evaluation.trainable == len(info.classes) * (8 + 1)
    assert (evaluation.images, evaluation.device, evaluation.provenance) == (len(test), "cpu", "official")


def test_a_model_that_is_not_there_is_refused(split_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/model\.json is missing"):
        evaluate(tmp_path / "nowhere", load_part(split_folder, "test"))
