"""Figures have the same bytes, whatever Matplotlib's settings are where they are drawn."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.style
import pytest

from reprolab.core.files import file_hash
from reprolab.evaluation.canvas import own_settings
from reprolab.evaluation.drawing import save_figure
from reprolab.reports.figures import comparison_figure
from tests.factories import REPOSITORY
from tests.figures import FIGURES, comparison_row

HOSTILE = {
    "text.usetex": True,
    "axes.formatter.use_locale": True,
    "figure.dpi": 31,
    "figure.autolayout": True,
    "figure.facecolor": "black",
    "font.family": ["monospace"],
    "font.size": 25,
    "lines.linewidth": 9,
    "savefig.bbox": "tight",
    "savefig.dpi": 17,
    "savefig.transparent": True,
    "text.antialiased": False,
    "xtick.top": True,
}
DRAW = """
import reprolab.evaluation.figures
from pathlib import Path
from reprolab.evaluation.drawing import save_figure
from tests.figures import FIGURES
for name, figure in FIGURES.items():
    save_figure(figure(), Path(f"{name}.png"))
"""


def draw_all(folder: Path) -> None:
    for name, figure in FIGURES.items():
        save_figure(figure(), folder / f"{name}.png")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_hash(path) for path in folder.glob("*.png")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("figures")
    draw_all(folder)
    return hashes(folder)


def test_settings_of_a_notebook_change_no_byte_and_stay(expected: dict[str, str], tmp_path: Path) -> None:
    with matplotlib.rc_context(HOSTILE):  # type: ignore[arg-type]
        draw_all(tmp_path)
        assert matplotlib.rcParams["figure.dpi"] == 31
    assert hashes(tmp_path) == expected


def test_a_style_changes_no_byte(expected: dict[str, str], tmp_path: Path) -> None:
    with matplotlib.style.context("dark_background"):
        draw_all(tmp_path)
    assert hashes(tmp_path) == expected


@pytest.mark.parametrize("settings", [b"text.usetex: True\nfont.size: 20\n", b"\xff\xfe: no text", b"lines.linewidth"])
def test_backend_and_files_of_settings_change_no_byte_and_are_not_read(
    settings: bytes, expected: dict[str, str], tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "config"):
        folder.mkdir(exist_ok=True)
        (folder / "matplotlibrc").write_bytes(settings)
    found = subprocess.run(
        [sys.executable, "-c", DRAW],
        cwd=tmp_path,
        env={
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MPLCONFIGDIR": str(tmp_path / "config"),
            "MATPLOTLIBRC": str(tmp_path),
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/src",
        },
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert hashes(tmp_path) == expected


def test_no_font_but_matplotlib_s_own_fills_in_signs() -> None:
    with own_settings():
        assert matplotlib.rcParams["font.sans-serif"] == ["DejaVu Sans"]


@pytest.mark.parametrize("title", [r"$\frac{1}$", "$x$", "a $ b", r"\$x\$", "100 %", "{}", "_^"])
def test_a_title_is_drawn_as_it_is_written(title: str, tmp_path: Path) -> None:
    figure = comparison_figure(title, [comparison_row("mlp", 0.9, None)])
    save_figure(figure, tmp_path / "figure.png")
    (text,) = [axis.title for axis in figure.axes]
    drawn, is_math = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
    assert (drawn, is_math) == (title, False)
