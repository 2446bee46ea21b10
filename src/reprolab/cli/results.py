"""Write the tables into README.md and docs."""

from reprolab.core.config import Params
from reprolab.reports.pages import write_pages


def run(params: Params) -> None:
    """Raises `InputError` when a page's marks are wrong."""
    write_pages(params)
