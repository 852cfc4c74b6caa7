"""How far off a mean over cycles may be."""

from __future__ import annotations

from statistics import fmean, geometric_mean

import numpy as np
import pytest

from pytest_lem.reports import bootstrap
from pytest_lem.reports.bootstrap import interval


def test_fewer_than_three_cycles_have_no_interval():
    """Two values do not tell how they scatter, and one such case is enough in a group."""
    assert interval(1.5, [[1.0, 2.0]]) is None
    assert interval(2.0, [[1.0, 2.0, 3.0], [2.0, 2.0]]) is None
    assert interval(2.0, []) is None


def test_of_three_cycles_the_extremes_are_the_ends():
    """Plain percentiles would be too narrow for so few, so nothing is left out."""
    assert interval(2.0, [[1.0, 2.0, 3.0]]) == pytest.approx((1.0, 3.0))


def test_it_is_laid_around_the_pooled_figure():
    """Pooling weighs cycles, so the figure need not be their mean; the scatter is relative."""
    assert interval(4.0, [[1.0, 2.0, 3.0]]) == pytest.approx((2.0, 6.0))


def test_it_comes_out_the_same_each_time():
    """Two reports of one run, by two processes, agree to the last digit."""
    values = list(np.random.default_rng(1).normal(10.0, 1.0, size=12))
    first = interval(10.0, [values])
    bootstrap._shares.cache_clear()
    assert interval(10.0, [values]) == first


def test_what_does_not_scatter_has_no_width():
    """Equal cycles leave nothing to doubt."""
    assert interval(5.0, [[5.0] * 4]) == pytest.approx((5.0, 5.0), rel=1e-12)


def test_a_value_without_a_logarithm_has_no_interval():
    """A zero is shown, and nothing is claimed about its scatter."""
    assert interval(0.5, [[0.0, 0.5, 1.0]]) is None


def test_cases_of_the_same_cycles_share_the_draw():
    """What one case gained in a cycle and another lost does not scatter in their mean."""
    up, down = [1.0, 2.0, 4.0, 8.0], [8.0, 4.0, 2.0, 1.0]
    alone = interval(geometric_mean(up), [up])
    both = interval(1.0, [up, up])
    low, high = interval(1.0, [up, down])
    assert alone[1] / alone[0] == pytest.approx(both[1] / both[0])
    assert high / low < 0.5 * both[1] / both[0]


@pytest.mark.parametrize(("cycles", "least"), [(5, 0.85), (10, 0.91), (30, 0.93)])
def test_it_holds_the_true_mean_as_often_as_it_says(cycles, least):
    """Of 400 sets of cycles; few cycles know less than they should, and never half as much."""
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        values = list(generator.normal(100.0, 3.0, size=cycles))
        low, high = interval(fmean(values), [values])
        hits += low <= 100.0 <= high
    assert least <= hits / 400 <= 0.99
