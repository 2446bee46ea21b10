"""What is committed agrees with itself."""

import re
from pathlib import Path

import pytest

from reprolab.core.config import load_params
from reprolab.core.layout import PARAMS
from reprolab.reports.pages import DOCS, README, filled
from tests.factories import REPOSITORY

PAGES = [README, *sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / DOCS).glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_make_results_would_change_nothing(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    text = page.read_text(encoding="utf-8")
    assert filled(page, text, load_params()) == text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_and_pictures_of_a_page_are_there(page: Path) -> None:
    folder = (REPOSITORY / page).parent
    targets = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", (REPOSITORY / page).read_text())
    assert [target for target in targets if not (folder / target).exists()] == []


def test_each_data_set_is_compared_as_a_whole() -> None:
    params = load_params(REPOSITORY / PARAMS)
    whole = [comparison.dataset for comparison in params.comparisons.values() if comparison.experiments is None]
    assert whole == list(params.datasets)
