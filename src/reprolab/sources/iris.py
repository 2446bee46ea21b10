"""Iris: four measurements of 150 flowers of three kinds (Fisher 1936), bundled with scikit-learn. No download."""

from pathlib import Path

import numpy as np

from reprolab.data.fetch import SourceData, read_arrays, verify_checksum, verify_numbers

FILE = "iris.npz"
FEATURES = ("sepal length, cm", "sepal width, cm", "petal length, cm", "petal width, cm")
CLASSES = ("setosa", "versicolor", "virginica")
SHA256 = "879b81724528964779983358162a724401de00141f8cb9c922d27f908396b8c7"


def fetch(folder: Path) -> None:
    from sklearn.datasets import load_iris

    iris = load_iris()
    np.savez(folder / FILE, features=iris.data.astype(np.float32), labels=iris.target.astype(np.int64))
    load(folder)


def load(folder: Path) -> SourceData:
    """Centimetres, as `FEATURES` says."""
    advice = f"Run `dvc repro -f download@{folder.name}`"
    features, labels = read_arrays(folder / FILE, ("features", "labels"), advice)
    verify_checksum(folder / FILE, features.tobytes() + labels.tobytes(), SHA256, advice)
    verify_numbers(folder / FILE, "measurements of shape", features.shape, (150, 4), advice)
    return SourceData(features, labels, None, None, CLASSES, "official")
