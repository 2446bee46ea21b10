"""Is the difference between two settings real? A paired test over the seeds or folds that both were trained on."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from reprolab.core.errors import InputError
from reprolab.core.files import Record

LEVEL = 0.05


class Difference(Record):
    """Of `n` pairs, second less first: mean, standard deviation, the bounds of a 95 % interval of the mean, and the
    probability of such a mean or a larger one where nothing but chance tells the two apart."""

    n: int
    mean: float
    std: float
    low: float
    high: float
    p: float

    @property
    def is_real(self) -> bool:
        return self.p < LEVEL


def paired_difference(
    first: Sequence[float], second: Sequence[float], held_out: float | None = None, tests: int = 1
) -> Difference:
    """Student's t-test of paired samples.

    Folds share training examples, so that their scores are not independent: with the `held_out` examples per trained
    one the variance is corrected for it (Nadeau & Bengio 2003, equation 9). Of several `tests` the probabilities are
    multiplied (Bonferroni). Raises `InputError` for fewer than two pairs.
    """
    from scipy.stats import t  # half a second to import

    n = len(first)
    if n < 2:
        raise InputError(f"a paired test needs at least two seeds or folds; found {n}: give the search more")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    mean, std = fmean(differences), stdev(differences)
    error = std * math.sqrt(1 / n + (held_out or 0))
    reach = float(t.ppf(1 - LEVEL / (2 * tests), n - 1)) * error
    p = 2 * float(t.sf(abs(mean) / error, n - 1)) if error else float(mean == 0)
    values = {"mean": mean, "std": std, "low": mean - reach, "high": mean + reach, "p": min(1.0, p * tests)}
    return Difference(n=n, **{name: round(value, 6) for name, value in values.items()})
