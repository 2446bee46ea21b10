"""Figures whose pixels depend on what is drawn alone: on no backend, settings file, style or font of the user's.

The one module that imports Matplotlib: others get from it what they draw with.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _import_without_settings() -> None:
    """Import Matplotlib without the user's settings: it refuses some of them as soon as it is imported."""
    found = find_spec("matplotlib")
    assert found and found.origin
    backend = os.environ.pop("MPLBACKEND", None)
    # Of all places it looks for a settings file in the working directory first, and here it finds its own.
    with chdir(Path(found.origin).parent / "mpl-data"):
        import matplotlib  # noqa: F401
    if backend is not None:
        os.environ["MPLBACKEND"] = backend


if "matplotlib" not in sys.modules:
    _import_without_settings()

import matplotlib  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from matplotlib.artist import setp  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.cm import ScalarMappable  # noqa: E402
from matplotlib.colors import ListedColormap, Normalize  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

__all__ = [
    "Axes",
    "Figure",
    "Line2D",
    "ListedColormap",
    "MaxNLocator",
    "Normalize",
    "ScalarMappable",
    "as_written",
    "colormaps",
    "new_figure",
    "own_settings",
    "setp",
    "subplots",
]


@contextmanager
def own_settings() -> Iterator[None]:
    """Matplotlib's defaults and its own font, whatever a file, a style or a notebook has set; a decorator too."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["font.sans-serif"] = ["DejaVu Sans"]  # its own; another would fill in the signs it lacks
        yield


def new_figure(**options: Any) -> Figure:
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    sharey: Any = False,
    squeeze: bool = True,
    width_ratios: Sequence[float] | None = None,
    **options: Any,
) -> tuple[Figure, Any]:
    """As `pyplot.subplots`, whose figures belong to a backend."""
    figure = new_figure(**options)
    return figure, figure.subplots(rows, columns, sharey=sharey, squeeze=squeeze, width_ratios=width_ratios)


def as_written(text: str) -> str:
    """The text without a meaning of its dollar signs, between which Matplotlib reads formulas."""
    return text.replace("$", r"\$")
