"""The paired test against what can be counted by hand, and against scipy."""

from __future__ import annotations

from itertools import product
from math import exp, log
from random import Random
from statistics import fmean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_lem.gate.paired import (
    Pairs,
    interval,
    least_found,
    level_of_second,
    p_value,
    signed_rank_cut,
)

FLOATS = st.floats(-0.2, 0.2).map(lambda x: round(x, 4))


def _counted(worsenings: list[float], allowed: float) -> float:
    """Count every sign pattern, one by one."""
    beyond = [x - allowed for x in worsenings]
    sums = [sum(s * x for s, x in zip(signs, beyond, strict=True))
            for signs in product((1, -1), repeat=len(beyond))]  # fmt: skip
    return sum(one >= sum(beyond) - 1e-9 for one in sums) / len(sums)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(FLOATS, min_size=1, max_size=9), st.sampled_from([0.0, 0.01, 0.1]))
def test_the_level_is_the_share_of_sign_patterns(worsenings: list[float], allowed: float) -> None:
    """As many as are at least as large, itself included."""
    assert p_value(worsenings, allowed) == pytest.approx(_counted(worsenings, allowed), abs=1e-12)


@pytest.mark.parametrize("n", [7, 10, 20])
def test_pairs_that_all_agree_have_the_least_level_there_is(n: int) -> None:
    """One pattern of all."""
    assert p_value([0.05] * n, 0.01) == 2.0**-n
    assert p_value([-0.05] * n, 0.01) == 1.0


def test_what_is_just_allowed_is_never_flagged() -> None:
    """Every pattern of nothing is as large."""
    assert p_value([0.01] * 10, 0.01) == 1.0


@pytest.mark.parametrize(
    ("figures", "level"), [(0, 0.5), (1, 0.5), (2, 0.25), (50, 0.01), (500, 0.001)]
)
def test_the_second_level_leaves_a_suite_its_share(figures: int, level: float) -> None:
    """The two stages of all figures together alarm in 2.5 % at most."""
    assert level_of_second(figures) == pytest.approx(level)
    assert 0.05 * level_of_second(figures) * max(1, figures) <= 0.025 + 1e-12


@pytest.mark.parametrize("n", [6, 7, 10, 15, 20])
def test_the_interval_cuts_where_the_signed_rank_distribution_says(n: int) -> None:
    """Counted over all patterns of signs, as scipy counts them for its exact test."""
    cut, tail = signed_rank_cut(n, 0.025)
    ranks = range(1, n + 1)
    counts = [0] * (n * (n + 1) // 2 + 1)
    counts[0] = 1
    for rank in ranks:
        for total in range(len(counts) - 1, rank - 1, -1):
            counts[total] += counts[total - rank]
    below = sum(counts[: cut + 1]) / 2**n
    assert tail == pytest.approx(below)
    assert below <= 0.025 < sum(counts[: cut + 2]) / 2**n


def test_estimate_and_interval_agree_with_the_inverted_test() -> None:
    """A change at the end of the interval is just not refuted by Wilcoxon's test, one beyond is."""
    chance = Random(3)
    logs = [0.05 + chance.gauss(0, 0.02) for _ in range(10)]
    pairs = Pairs([logs[:5], logs[5:]])
    low, high = interval(pairs)
    walsh = [(a + b) / 2 for n, a in enumerate(logs) for b in logs[n:]]
    assert pairs.middle == median(walsh)
    for end, beyond in ((low, low - 1e-6), (high, high + 1e-6)):
        inside = (2 * end + fmean(logs)) / 3
        assert stats.wilcoxon([x - inside for x in logs], method="exact").pvalue > 0.05
        assert stats.wilcoxon([x - beyond for x in logs], method="exact").pvalue <= 0.05


@pytest.mark.parametrize(("n", "factor"), [(7, 2.16), (10, 1.66), (20, 1.08)])
def test_the_least_change_found_is_what_the_method_states(n: int, factor: float) -> None:
    """For fifty figures: what is allowed, and so many times the scatter of a window."""
    chance = Random(n)
    pairs = Pairs([[chance.gauss(0, 0.014) for _ in range(n)]])
    found = least_found(0.01, pairs, figures=50)
    assert found - 0.01 == pytest.approx(factor * pairs.scatter, rel=0.005)


def test_loads_that_scatter_widen_what_can_be_found() -> None:
    """Windows that agree within a load say little where two loads differ."""
    alike = Pairs([[0.0, 0.01] * 5, [0.0, 0.01] * 5])
    apart = Pairs([[0.0, 0.01] * 5, [0.05, 0.06] * 5])
    assert alike.load_scatter == 0.0
    assert apart.load_scatter == pytest.approx(0.025, rel=0.05)
    assert least_found(0.01, apart, figures=1) > 5 * least_found(0.01, alike, figures=1) - 0.05
    assert apart.error == pytest.approx(0.025, rel=0.02)


def test_pairs_of_one_load_say_nothing_of_loads() -> None:
    """Their scatter is not known, which is not 0."""
    alone = Pairs([[log(1.01), log(1.02), log(1.03)]])
    assert alone.load_scatter is None
    assert exp(alone.middle) == pytest.approx(1.02, abs=1e-4)
