"""The history test, against its formulas written out once more and figures worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_lem.gate.history import History, interval, least_found, p_value

deterministic = settings(derandomize=True, deadline=None, max_examples=100)
ALLOWED = log(1.01)
#: Joules of eight sessions, two of them, and one.
EIGHT = [2.00, 2.02, 1.97, 2.05, 2.01, 1.99, 2.03, 1.96]


@dataclass
class Expected:
    """METHOD's test, from the joules as they are."""

    joules: Sequence[float]
    prior_cv: float = 0.02

    @property
    def k(self) -> int:
        return len(self.joules)

    @property
    def mean(self) -> float:
        return sum(log(x) for x in self.joules) / self.k

    @property
    def scatter(self) -> float:
        squares = sum((log(x) - self.mean) ** 2 for x in self.joules)  # (K - 1) s^2
        return sqrt((4 * self.prior_cv**2 + squares) / (self.k + 3))

    def t(self, joules: float) -> float:
        change = log(joules) - self.mean
        return (change - ALLOWED) / (self.scatter * sqrt(1 + 1 / self.k))

    def p(self, joules: float) -> float:
        return float(stats.t.sf(self.t(joules), self.k + 3))


def _history(joules: Sequence[float], prior_cv: float = 0.02, resolution: float = 0.0) -> History:
    return History(logs=[log(x) for x in joules], prior_cv=prior_cv, resolution=resolution)


@pytest.mark.parametrize(
    ("k", "scatter", "error", "t", "p"),
    [
        (1, 0.02, 0.0282843, 3.017926, 0.019622),
        (2, 0.0181632, 0.0222453, 3.613565, 0.007661),
        (8, 0.0170342, 0.0180675, 4.626320, 0.000366),
    ],
)
def test_sessions_by_hand(k: int, scatter: float, error: float, t: float, p: float) -> None:
    """2.2 J after one, two and eight sessions of about 2 J, where 1 % is allowed."""
    joules = EIGHT[:k]
    history, expected = _history(joules), Expected(joules)
    change = log(2.2) - history.mean
    assert history.degrees == k + 3
    assert history.scatter == pytest.approx(expected.scatter) == pytest.approx(scatter, rel=1e-5)
    assert history.error == pytest.approx(error, rel=1e-5)
    assert (change - ALLOWED) / history.error == pytest.approx(t, rel=1e-5)
    assert expected.t(2.2) == pytest.approx(t, rel=1e-5)
    assert p_value(change, ALLOWED, history) == pytest.approx(p, abs=5e-7)


@deterministic
@given(
    st.lists(st.floats(0.5, 5), min_size=1, max_size=12), st.floats(0.5, 5), st.floats(0.005, 0.2)
)
def test_the_test_is_that_of_the_method(joules: list[float], new: float, prior: float) -> None:
    """Scatter and p agree with the formulas and the t distribution of another module."""
    history, expected = _history(joules, prior), Expected(joules, prior)
    found = p_value(log(new) - history.mean, ALLOWED, history)
    assert history.scatter == pytest.approx(expected.scatter, rel=1e-6)
    assert found == pytest.approx(expected.p(new), rel=1e-6, abs=1e-12)


def test_with_one_session_the_scatter_is_the_prior() -> None:
    """Nothing has been seen of it, so from the first night on what is assumed stands in."""
    assert _history([2.0], prior_cv=0.03).scatter == pytest.approx(0.03)


def test_the_prior_fades_as_sessions_come() -> None:
    """It weighs like four sessions: of 200 that scatter by 1 %, hardly anything is left of 5 %."""
    rng = random.Random(7)
    logs = [rng.gauss(0, 0.01) for _ in range(200)]
    few = History(logs=logs[:3], prior_cv=0.05).scatter
    many = History(logs=logs, prior_cv=0.05).scatter
    assert few > 0.03
    assert many == pytest.approx(0.012, abs=0.001)


def test_scatter_below_the_resolution_is_not_believed() -> None:
    """Sessions that came out alike, at a resolution of 5 %, scatter by 5 %, like a single one."""
    assert _history([2.0, 2.0, 2.0], resolution=0.05).scatter == pytest.approx(0.05)
    assert _history([2.0], resolution=0.05).scatter == pytest.approx(0.05)
    squares = 4 * 0.02**2 + 2 * 0.019**2
    assert _history([2.0, 2.0, 2.0], resolution=0.019).scatter == pytest.approx(
        max(sqrt(squares / 6), 0.019)
    )
    assert _history([2.0, 2.0, 2.0]).scatter == pytest.approx(sqrt(4 * 0.02**2 / 6))


def test_scatter_above_the_resolution_is_what_was_seen() -> None:
    """The resolution is a floor and adds nothing."""
    assert _history([2.0, 2.4], resolution=0.05).scatter == _history([2.0, 2.4]).scatter


def test_what_is_just_allowed_is_as_likely_as_not() -> None:
    """The hypothesis is that the change is what is allowed, not that there is none."""
    assert p_value(0.2, 0.2, _history(EIGHT)) == 0.5
    assert p_value(0.0, 0.2, _history(EIGHT)) > 0.99
    assert p_value(0.4, 0.2, _history(EIGHT)) < 0.01


@deterministic
@given(st.floats(-0.5, 0.5), st.floats(0, 0.5), st.floats(0, 0.3), st.integers(1, 8))
def test_a_larger_worsening_is_less_likely(
    worsening: float, more: float, allowed: float, k: int
) -> None:
    """p falls with what was seen and rises with what is allowed, whatever the history."""
    history = _history(EIGHT[:k])
    p = p_value(worsening, allowed, history)
    assert 0 <= p_value(worsening + more, allowed, history) <= p
    assert p <= p_value(worsening, allowed + more, history) <= 1


@pytest.mark.parametrize("k", [1, 2, 8])
@pytest.mark.parametrize("alpha", [0.01, 0.001])
def test_the_least_change_found_is_that_of_both_tests(k: int, alpha: float) -> None:
    """Each of two independent tests finds it with the root of 0.8, both with 0.8."""
    history = _history(EIGHT[:k])
    quantiles = stats.t.ppf(1 - alpha, k + 3) + stats.t.ppf(sqrt(0.8), k + 3)
    expected = ALLOWED + quantiles * Expected(EIGHT[:k]).scatter * sqrt(1 + 1 / k)
    assert least_found(ALLOWED, history, alpha=alpha) == pytest.approx(expected)


def test_the_least_change_found_by_hand() -> None:
    """After one session, t(0.99) + t(0.8944) of 4 degrees is 3.7469 + 1.4873: 17 %, not 1 %."""
    assert least_found(ALLOWED, _history([2.0]), alpha=0.01) == pytest.approx(0.157998, abs=1e-6)


def test_the_least_change_found_grows_with_the_scatter_and_shrinks_with_sessions() -> None:
    """It also grows with what is allowed, and with a stricter level."""

    def least(history: History, allowed: float = ALLOWED, alpha: float = 0.01) -> float:
        return least_found(allowed, history, alpha=alpha)

    calm, wild = _history([2.0, 2.02] * 4), _history([2.0, 2.3] * 4)
    assert least(wild) > least(calm) > ALLOWED
    assert least(_history(EIGHT)) < least(_history(EIGHT[:2])) < least(_history(EIGHT[:1]))
    assert least(_history([2.0], prior_cv=0.05)) > least(_history([2.0], prior_cv=0.02))
    assert least(calm, allowed=0.1) - least(calm) == pytest.approx(0.1 - ALLOWED)
    assert least(calm, alpha=0.0001) > least(calm)


def test_the_least_change_is_found_in_four_of_five_nights() -> None:
    """Two measurements a night, with the known scatter of a long history, both of them flagged."""
    rng = random.Random(20260101)
    history = History(logs=[0.02, -0.02] * 30, prior_cv=0.02)
    least = least_found(ALLOWED, history, alpha=0.01)

    def is_flagged() -> bool:
        return p_value(rng.gauss(least, 0.02), ALLOWED, history) <= 0.01

    nights = [is_flagged() and is_flagged() for _ in range(4000)]
    assert sum(nights) / 4000 == pytest.approx(0.8, abs=0.03)


def test_the_interval_is_that_of_a_new_session() -> None:
    """t(0.975) of 11 degrees is 2.20099; the change stands in the middle."""
    history = _history(EIGHT)
    low, high = interval(0.1, history)
    assert (low + high) / 2 == pytest.approx(0.1)
    assert high - 0.1 == pytest.approx(2.20099 * Expected(EIGHT).scatter * sqrt(9 / 8), rel=1e-5)


def test_more_confidence_is_a_wider_interval() -> None:
    """The level is that of both sides together."""
    history = _history([2.0])
    low, high = interval(0.0, history, confidence=0.9)
    assert high == pytest.approx(stats.t.ppf(0.95, 4) * history.error) == pytest.approx(-low)
    assert interval(0.0, history, confidence=0.99)[1] > interval(0.0, history)[1] > high


def test_eight_sessions_settle_the_scatter() -> None:
    """Until then it counts as assumed."""
    assert not _history(EIGHT[:7]).is_settled
    assert _history(EIGHT).is_settled
