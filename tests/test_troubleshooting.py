"""The page for who met a message: what it quotes is said, by DVC or by this library."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.factories import REPOSITORY

PAGE = (REPOSITORY / "docs/troubleshooting.md").read_text(encoding="utf-8")


def package(name: str) -> Path:
    found = find_spec(name)
    assert found and found.origin
    return Path(found.origin).parent


def is_said(words: str, *folders: Path) -> bool:
    """Whether a module of these packages has the words, in one line or across the lines of a long text."""
    modules = (path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    return any(words in re.sub(r'"\s*f?"', "", text) for text in modules)


@pytest.mark.parametrize(
    "words",
    [
        "is not a git repository",
        "you are not inside of a DVC repository",
        "Unable to read RWLock-file",
        "JSON structure is corrupted",
        "YAML file structure is corrupted",
        "Unable to acquire lock",
        "Checkout failed for following targets",
        "Is your cache up to date?",
        "No file hash info found for",
    ],
)
def test_words_of_dvc_have_an_entry(words: str) -> None:
    assert words in PAGE
    assert is_said(words, package("dvc"), package("dvc_data"), package("scmrepo"))


@pytest.mark.parametrize(
    "words",
    [
        "Is it behind a decimal comma?",
        "cannot be had",
        "is damaged or altered",
        "unpacks to more than",
        "is damaged, or of another version of reprolab",
        "on the test part are not finite",
        "are neither in",
        "are in a package that is not installed",
        "do not fit",
        "contamination: ",
        "not resumed from",
        "warning: MLflow lacks this run for now",
        "another program has this port",
    ],
)
def test_words_of_ours_have_an_entry(words: str) -> None:
    assert words in PAGE
    assert is_said(words, REPOSITORY / "src/reprolab")


def test_an_experiment_that_is_applied_in_a_fresh_clone_has_an_entry() -> None:
    (entry,) = [text for text in PAGE.split("\n\n") if "after `dvc exp apply`" in text]
    assert "exit status 255" in entry and "`dvc pull` first" in entry and "`dvc repro`" in entry
