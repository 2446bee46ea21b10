"""What is often mistyped in params.yaml is told in a sentence that says what to write."""

from pathlib import Path

import pytest

from tests.fuzzing import TEXT, check_file

MLP = "{name: mlp, hidden: [8], activation: relu}"
BEHIND_A_COMMA = "Is it behind a decimal comma? Write a point, as in"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[0, 1]", "[" * 3000, "is nested too deeply"),
        ("[0, 1]", "9" * 5000, "is not valid YAML: "),
        ("relu", "!!bool 1", "is not valid YAML: "),
        ("relu", '"\\ud800"', "activation"),
        ("relu", "[{}]", "activation: found [{}]; it should be relu, tanh, or a list of these"),
        ("lr: 0.1", "lr: 0,006", f"unknown key 6; allowed: name. {BEHIND_A_COMMA} lr: 0.5"),
        ("lr: 0.1", "lr: '0,006'", "lr: found '0,006'; it should be a valid number, with a decimal point: 0.006"),
        ("lr: 0.1", "lr: '0.1'", "lr: found '0.1'; it should be a valid number, without quotes: 0.1"),
        ("[0, 1]", "0, 1, 2", "seeds: found '0, 1, 2'; it should be a valid list, as in [0, 1, 2]"),
        ("[0, 1]", "3", "seeds: found 3; it should be a valid list, as in [3]"),
        ("[0.5], std", "0.5, std", "mean: found 0.5; it should be a valid list, as in [0.5]"),
        ("validation: 0.1", "validation: 0,1", f"{BEHIND_A_COMMA} validation: 0.5"),
        ("lr: 0.1", "lr: 1.0e+300", "lr: found 1e+300; it should be less than or equal to 1000"),
        ("lr: 0.1", "lr: 1.0e-300", "lr: found 1e-300; it should be at least 1e-12"),
        ("lr: 0.1", "lr: 0.1, weight_decay: 1.0e+300", "weight_decay: found 1e+300; it should be less than"),
        ("epochs: 2", f"epochs: {10**30}", "epochs: found 1000000000000000000000000000000; it should be less than"),
        ("epochs: 2", "epochs: 10000000", "epochs: found 10000000; it should be less than or equal to 100000"),
        ("batch_size: 16", f"batch_size: {2**63}", "batch_size: found 9223372036854775808; it should be less than"),
        ("batch_size: 16", "batch_size: 1000000000", "batch_size: found 1000000000; it should be less than"),
        ("[0, 1]", str(list(range(5000))), "seeds: found [0, 1, 2, 3, 4, 5, ...]; it should have at most 1000 items"),
        ("size: 8", "size: 1000000", "input.size: found 1000000; it should be less than or equal to 2048"),
        ("size: 8", "size: 8, crop_padding: 1000000000", "crop_padding: found 1000000000; it should be less than"),
        ("hidden: [8]", "hidden: [1000000000000]", "hidden.0: found 1000000000000; it should be less than"),
        (MLP, "{name: cnn, dropout: .nan}", "dropout: found nan; it should"),
        ("seeds: [0, 1]", "schedule: {name: step, every: 1, factor: 99}\n      seeds: [0]", "factor: found 99; it"),
        (MLP, "{name: vit, width: 1000000000}", "width: found 1000000000; it"),
        ("title: Digits", "title: ''", "title: found ''; it should be one line of 1 to 100 characters"),
        ("title: Digits", "title: -x", "title: found '-x'; it should not begin with '-'"),
        ("title: Digits", 'title: "a\\nb"', "title: found 'a\\nb'; it should be one line"),
        ("small:", f"{'a' * 300}:", "it should have at most 100 characters"),
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_a_slip_is_told_in_a_sentence(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in TEXT
    found = check_file(tmp_path / "params.yaml", TEXT.replace(old, new, 1).encode())
    assert message in found
