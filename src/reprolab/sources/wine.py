"""Red wine quality: eleven measurements of 1,599 wines, and whether tasters gave 6 or more of 10 points.

P. Cortez et al. 2009, "Modeling wine preferences by data mining from physicochemical properties". About 240 rows are
copies of others.
"""

import csv
from pathlib import Path

import numpy as np

from reprolab.core.errors import InputError
from reprolab.data.fetch import SourceData, fetch_file, verify_checksum, verify_numbers

FILE = "winequality-red.csv"
URL = f"https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/{FILE}"
CLASSES = ("quality below 6", "quality 6 or more")
SHAPE = (1599, 12)
MOST_BYTES = 2**20
ALCOHOL, QUALITY = 10, 11
# Of the values in float64: the official file has semicolons and six alcohols like 9.56666666666667, where a mirror's
# file may have commas and 9.5667.
SHA256 = "6096b5c42029b0846495247123c205daa1f67e8f5b8db3d7519cfb4307ed5b3d"


def fetch(folder: Path) -> None:
    fetch_file("wine", {FILE: [URL]}, folder, lambda path, address: _read(path, "", address), MOST_BYTES)


def load(folder: Path) -> SourceData:
    values = _read(folder / FILE, f"Run `dvc repro -f download@{folder.name}`")
    labels = (values[:, QUALITY] >= 6).astype(np.int64)
    return SourceData(values[:, :QUALITY].astype(np.float32), labels, None, None, CLASSES, "official")


def original_labels(folder: Path) -> np.ndarray:
    """The tasters' points (1599,), of which `load` makes two classes."""
    return _read(folder / FILE, f"Run `dvc repro -f download@{folder.name}`")[:, QUALITY].astype(np.int64)


def _read(path: Path, advice: str, where: str = "") -> np.ndarray:
    """The table (1599, 12) in float64, alcohol to four digits. Errors name `where` the file is from, else its path."""
    where = where or str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = ";" if ";" in text.partition("\n")[0] else ","
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter))[1:]
        values = np.array(rows, dtype=np.float64)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{where} cannot be read as a table of numbers ({error}). {advice}".rstrip(" .")) from None
    verify_numbers(where, "a table of shape", values.shape, SHAPE, advice)
    values[:, ALCOHOL] = values[:, ALCOHOL].round(4)
    verify_checksum(where, values.tobytes(), SHA256, advice)
    return values
