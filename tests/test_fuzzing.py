"""Whatever is typed into params.yaml is accepted or refused in a message that fits a screen; never a traceback.

`REPROLAB_FUZZ` says how many of each kind are tried, at random.
"""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import DOCUMENTS, TEXT, VALID, check_file, check_params, documents, fuzzed, texts


def test_the_document_that_is_changed_is_valid() -> None:
    assert check_params(VALID) == ""


@fuzzed(DOCUMENTS)
@given(documents())
def test_an_edited_document_is_accepted_or_refused(document: dict[str, Any]) -> None:
    check_params(document)


def test_the_text_that_is_changed_is_valid(tmp_path: Path) -> None:
    assert check_file(tmp_path / "params.yaml", TEXT.encode()) == ""


@fuzzed(DOCUMENTS)
@given(text=texts())
def test_an_edited_text_is_accepted_or_refused(text: str, tmp_path: Path) -> None:
    check_file(tmp_path / "params.yaml", text.encode("utf-8", "surrogatepass"))


@fuzzed(DOCUMENTS)
@given(content=st.binary(max_size=300))
def test_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    assert check_file(tmp_path / "params.yaml", content)
