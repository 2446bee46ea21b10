"""scikit-learn's bundled digits: 1,797 images of 8×8 pixels, ten classes. No download.

As in scikit-learn's own example, the first half is for training and the second half for testing:
https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html
"""

from pathlib import Path

import numpy as np

from reprolab.data.fetch import SourceData, read_arrays, verify_checksum, verify_numbers

FILE = "digits.npz"
IMAGES = 1797
SHA256 = "0b7e9c3202d7bcd255d6a19a238d3743bf5e320ba74812a6679958a017c55382"


def fetch(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Sixteen grey levels, spread over the range of a byte.
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    np.savez(folder / FILE, images=images, labels=digits.target.astype(np.int64))
    load(folder)


def load(folder: Path) -> SourceData:
    advice = f"Run `dvc repro -f download@{folder.name}`"
    images, labels = read_arrays(folder / FILE, ("images", "labels"), advice)
    verify_checksum(folder / FILE, images.tobytes() + labels.tobytes(), SHA256, advice)
    verify_numbers(folder / FILE, "images of shape", images.shape, (IMAGES, 8, 8), advice)
    verify_numbers(folder / FILE, "labels of shape", labels.shape, (IMAGES,), advice)
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
