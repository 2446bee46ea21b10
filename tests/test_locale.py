"""What a stage writes is the same in every locale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import REPOSITORY

LOCALES = {"en_US.ISO-8859-1": ("en_US", "ISO-8859-1"), "zh_CN.GBK": ("zh_CN", "GBK")}


def written(folder: Path, **environment: str) -> dict[str, bytes]:
    """What `compare` writes, in which signs beyond ASCII stand for what is missing, and then the pages with it."""
    for name in ("params.yaml", "data/baselines.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / "metrics/digits").mkdir(parents=True)
    (folder / "README.md").write_text("é\n<!-- results: begin -->\n<!-- results: end -->\n", encoding="utf-8")
    stage = [REPOSITORY / "stages/compare.py", "digits", "metrics/digits", "data/baselines.csv"]
    for command in ([*stage, "metrics/comparison/digits", "--dataset", "digits"], ["-m", "reprolab", "results"]):
        subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env={"PYTHONPATH": str(REPOSITORY / "src"), "MLFLOW_TRACKING_URI": "sqlite:////no/such/folder/runs.db"}
            | {"PATH": os.environ["PATH"], "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
            | environment,
            check=True,
            capture_output=True,
        )
    files = [
        path for path in folder.rglob("*") if path.is_file() and ".reprolab" not in path.parts
    ]  # journals have clocks
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    found = written(tmp_path_factory.mktemp("written") / "here", LC_ALL="C.UTF-8")
    assert all("—" in found[name].decode() for name in ("metrics/comparison/digits.md", "README.md"))
    return found


@pytest.mark.parametrize("locale", ["C", *LOCALES])
def test_files_are_in_utf_8_in_any_locale(locale: str, expected: dict[str, bytes], tmp_path: Path) -> None:
    if locale in LOCALES:
        language, encoding = LOCALES[locale]
        make = ["localedef", "-i", language, "-f", encoding, str(tmp_path / locale)]
        if not shutil.which("localedef") or subprocess.run(make, check=False, capture_output=True).returncode:
            pytest.skip(f"this machine cannot make the locale {locale}")
    assert written(tmp_path / "here", LC_ALL=locale, LOCPATH=str(tmp_path)) == expected
