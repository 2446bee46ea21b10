"""Paired tests: whether the difference between two settings is real."""

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from reprolab.core.errors import InputError
from reprolab.reports.study_text import difference_sentence, held_out, pairs_of
from reprolab.studies.record import Point
from reprolab.studies.statistics import Difference, paired_difference
from tests.studied import make_trial

FIRST = [0.81, 0.85, 0.79, 0.90, 0.84]
SECOND = [0.84, 0.86, 0.83, 0.91, 0.82]


@pytest.mark.parametrize("pairs", [2, 3, 10, 100])
def test_the_test_is_that_of_scipy(pairs: int) -> None:
    generator = np.random.default_rng(pairs)
    first = generator.normal(0.8, 0.05, pairs)
    second = first + generator.normal(0.01, 0.02, pairs)
    expected = ttest_rel(second, first)
    interval = expected.confidence_interval(0.95)
    found = paired_difference(first.tolist(), second.tolist())
    assert found.n == pairs
    assert found.mean == pytest.approx(float((second - first).mean()), abs=1e-6)
    assert found.std == pytest.approx(float((second - first).std(ddof=1)), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-6)


def test_the_order_turns_the_sign_alone() -> None:
    there, back = paired_difference(FIRST, SECOND), paired_difference(SECOND, FIRST)
    assert (back.mean, back.low, back.high) == (-there.mean, -there.high, -there.low)
    assert (back.p, back.std) == (there.p, there.std)


def test_the_variance_of_folds_is_corrected_as_nadeau_and_bengio_do() -> None:
    # Five folds: a quarter as many examples are held out as are trained on. Their equation 9 puts 1/n + 1/4 in the
    # place of 1/n.
    differences = np.subtract(SECOND, FIRST)
    error = math.sqrt((1 / 5 + 1 / 4) * differences.var(ddof=1))
    found = paired_difference(FIRST, SECOND, held_out=0.25)
    assert found.p == pytest.approx(2 * t.sf(abs(differences.mean()) / error, 4), abs=1e-6)
    assert found.high - found.mean == pytest.approx(t.ppf(0.975, 4) * error, abs=1e-6)
    plain = paired_difference(FIRST, SECOND)
    assert found.p > plain.p and found.std == plain.std


def test_of_several_tests_the_probabilities_are_multiplied_and_the_intervals_widened() -> None:
    one, three = paired_difference(FIRST, SECOND), paired_difference(FIRST, SECOND, tests=3)
    assert three.p == pytest.approx(3 * one.p, abs=1e-5)
    differences = np.subtract(SECOND, FIRST)
    reach = t.ppf(1 - 0.05 / 6, 4) * differences.std(ddof=1) / math.sqrt(5)
    assert three.high - three.mean == pytest.approx(reach, abs=1e-6)
    assert paired_difference(FIRST, SECOND, tests=1000).p == 1


@pytest.mark.parametrize(("second", "mean", "p"), [([0.5, 0.75], 0.0, 1.0), ([1.0, 1.25], 0.5, 0.0)])
def test_equal_differences_leave_nothing_to_chance(second: list[float], mean: float, p: float) -> None:
    found = paired_difference([0.5, 0.75], second)
    assert found == Difference(n=2, mean=mean, std=0.0, low=mean, high=mean, p=p)
    assert found.is_real == (p == 0)


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_fewer_than_two_pairs_are_refused(scores: list[float]) -> None:
    with pytest.raises(InputError, match=f"at least two seeds or folds; found {len(scores)}: give the search more"):
        paired_difference(scores, scores)


def test_the_sentence_says_what_is_shown_and_what_is_not() -> None:
    real = Difference(n=5, mean=0.02, std=0.01, low=0.01, high=0.03, p=0.0123)
    assert difference_sentence("a", "b", real, "validation_accuracy") == (
        "b less a: +0.0200 in validation accuracy (95 % interval +0.0100 to +0.0300, p = 0.0123): a difference that "
        "chance gives less than once in twenty times."
    )
    chance = Difference(n=5, mean=0.02, std=0.05, low=-0.02, high=0.06, p=0.4)
    assert difference_sentence("a", "b", chance, "validation_loss").endswith(
        "p = 0.4): no difference is shown. 5 pairs like these show one from about 0.0400 on."
    )


def point(number: int, *keys: tuple[int, int | None]) -> Point:
    rows = [make_trial(number, seed, 0.1 * seed, fold=fold) for seed, fold in keys]
    return Point(number, rows, [row.validation_accuracy or 0 for row in rows])


def test_pairs_are_those_of_the_same_seeds_and_folds() -> None:
    first = point(0, (1, None), (2, None))
    assert pairs_of(first, point(1, (1, None), (2, None))) == ([0.1, 0.2], [0.1, 0.2])
    assert pairs_of(first, point(1, (1, None), (3, None))) is None
    assert pairs_of(first, point(1, (1, 1), (2, 1))) is None
    assert pairs_of(first, Point(1, first.rows, first.scores[:1])) is None


def test_a_fold_holds_out_one_example_for_so_many_trained_ones() -> None:
    assert held_out(point(0, *((0, fold) for fold in range(1, 6)))) == 0.25
    assert held_out(point(0, (0, None), (1, None))) is None
