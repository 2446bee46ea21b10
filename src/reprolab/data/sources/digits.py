"""scikit-learn's bundled digits: 1,797 images of 8×8 pixels, ten classes. No download.

As in scikit-learn's own example, the first half is for training and the second half for testing:
https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html
"""

import zipfile
from pathlib import Path

import numpy as np

from reprolab.data.fetching import verify_count
from reprolab.data.sources import SourceData
from reprolab.errors import InputError

FILE = "digits.npz"
IMAGES = 1797


def fetch(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Sixteen grey levels, spread over the range of a byte.
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    np.savez(folder / FILE, images=images, labels=digits.target.astype(np.int64))
    load(folder)


def load(folder: Path) -> SourceData:
    try:
        with np.load(folder / FILE) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        advice = f"run `dvc repro -f download@{folder.name}`"
        raise InputError(f"{folder / FILE} cannot be read ({error}): {advice}") from None
    verify_count(folder / FILE, images.shape, (IMAGES, 8, 8))
    verify_count(folder / FILE, labels.shape, (IMAGES,))
    half = IMAGES // 2
    images = images[:, None]
    return SourceData(
        train_inputs=images[:half],
        train_labels=labels[:half],
        test_inputs=images[half:],
        test_labels=labels[half:],
        classes=tuple("0123456789"),
        provenance="official",
    )
