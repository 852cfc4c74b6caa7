"""Percentiles, ratios of sums, and their uncertainty."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import sqrt
from statistics import fmean, quantiles, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.results.statistics import (
    expanded,
    percentile,
    ratio,
    ratio_scatter,
    root_sum,
    total,
)

deterministic = settings(derandomize=True, deadline=None, max_examples=100)


@deterministic
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_percentiles_are_those_of_the_standard_library(samples: list[float]) -> None:
    """All hundred cuts agree with `statistics.quantiles` in its inclusive method."""
    cuts = quantiles(samples, n=100, method="inclusive")
    own = [percentile(samples, number / 100) for number in range(1, 100)]
    assert own == pytest.approx(cuts, rel=1e-9, abs=1e-6)


def test_extreme_percentiles_are_extreme_samples() -> None:
    """Nothing is extrapolated, and a single sample is all of its percentiles."""
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0, 1)] == [1.0, 3.0]
    assert [percentile([5.0], share) for share in (0, 0.5, 0.99, 1)] == [5.0] * 4


def test_a_ratio_is_that_of_the_sums() -> None:
    """Long rounds weigh more: it is no mean of ratios."""
    assert ratio([1.0, 9.0], [1.0, 3.0]) == 2.5


def test_scatter_by_hand() -> None:
    """Two rounds of 8 J / 5 tokens and 4 J / 4 tokens: 8/27 J per token."""
    assert ratio_scatter([8.0, 4.0], [5.0, 4.0]) == pytest.approx(8 / 27)


def test_scatter_of_equal_denominators_is_the_standard_error_of_the_mean() -> None:
    """With the same work in every round the formula is the textbook's."""
    joules = [10.0, 11.0, 9.5, 10.2]
    expected = stdev([value / 4 for value in joules]) / sqrt(4)
    assert ratio_scatter(joules, [4.0] * 4) == pytest.approx(expected)


def test_proportional_rounds_do_not_scatter() -> None:
    """More work with as much more energy is the same figure."""
    assert ratio_scatter([1.0, 2.0, 5.0], [2.0, 4.0, 10.0]) == pytest.approx(0, abs=1e-12)


def test_one_round_has_no_scatter() -> None:
    """What is unknown is None and not 0."""
    assert ratio_scatter([8.0], [5.0]) is None


def test_scatter_agrees_with_resampling() -> None:
    """The linearised formula is close to jackknife and bootstrap on scattered rounds."""
    generator = random.Random(20260101)
    work = [generator.uniform(80, 120) for _ in range(40)]
    joules = [2.0 * count * generator.gauss(1, 0.03) for count in work]
    rounds = list(zip(joules, work, strict=True))

    def figure(chosen: list[tuple[float, float]]) -> float:
        return ratio(*zip(*chosen, strict=True))

    left_out = [figure(rounds[:i] + rounds[i + 1 :]) for i in range(len(rounds))]
    mean = fmean(left_out)
    jackknife = sqrt(39 / 40 * sum((value - mean) ** 2 for value in left_out))
    bootstrap = stdev(figure(generator.choices(rounds, k=40)) for _ in range(2000))
    assert ratio_scatter(joules, work) == pytest.approx(jackknife, rel=0.05)
    assert ratio_scatter(joules, work) == pytest.approx(bootstrap, rel=0.1)


def test_uncertainties_add_in_squares_and_are_doubled() -> None:
    """Expanded means k = 2."""
    assert expanded(3.0, 4.0) == 10.0


def test_an_unknown_part_makes_the_uncertainty_unknown() -> None:
    """Leaving it out would state too little."""
    assert expanded(3.0, None) is None


def test_sums_of_what_is_common_and_of_what_is_independent() -> None:
    """A gain adds up over windows, edges add in squares."""
    assert total([3.0, 4.0]) == 7.0
    assert root_sum([3.0, -4.0]) == 5.0


@pytest.mark.parametrize("combine", [total, root_sum])
def test_a_sum_with_an_unknown_part_is_unknown(combine: Callable[..., float | None]) -> None:
    """None is no 0, wherever it stands, and 0 is no None."""
    assert combine([3.0, None]) is combine([None, 3.0]) is combine([None]) is None
    assert combine([0.0, 0.0]) == 0.0


def test_three_independent_parts_are_what_a_simulation_finds() -> None:
    """The spread of a sum of errors is that of the combined uncertainty, expanded by two."""
    rng = random.Random(4)
    errors = [rng.gauss(0, 1) + rng.gauss(0, 2) + rng.gauss(0, 0.5) for _ in range(20_000)]
    assert expanded(1.0, 2.0, 0.5) == pytest.approx(2 * stdev(errors), rel=0.02)
