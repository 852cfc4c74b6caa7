"""When a warm-up ends."""

from __future__ import annotations

from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.measure.warmup import WINDOW, WarmUp

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

SECONDS = st.floats(1e-3, 100)


def _warmed(times_s: list[float], *, cv: float = 0.01, max_s: float = 120) -> WarmUp:
    warm_up = WarmUp(cv=cv, max_s=max_s)
    for time_s in times_s:
        warm_up.add(time_s)
    return warm_up


def test_there_is_always_one_repetition() -> None:
    """Also a warm-up of no length runs the work once, which shows how long it takes."""
    assert not _warmed([], max_s=0).is_over
    assert _warmed([1e-9], max_s=0).is_over


def test_even_times_are_steady_after_five() -> None:
    """Four equal times say nothing yet, five do."""
    assert not _warmed([1.0] * 4).is_over
    assert _warmed([1.0] * 5).is_over
    assert _warmed([1.0] * 5).is_steady


def test_only_the_last_five_count() -> None:
    """Slow first repetitions, the cold ones, are forgotten once five even ones have followed."""
    assert not _warmed([9.0, 1.0, 1.0, 1.0, 1.0]).is_steady
    assert _warmed([9.0, 1.0, 1.0, 1.0, 1.0, 1.0]).is_steady


def test_unsteady_times_end_at_the_longest_time() -> None:
    """Time is counted in repetitions, and the end does not make them steady."""
    times_s = [1.0, 2.0] * 5
    assert not _warmed(times_s, max_s=15.1).is_over
    assert _warmed(times_s, max_s=15.0).is_over
    assert not _warmed(times_s, max_s=15.0).is_steady


@deterministic
@given(times_s=st.lists(SECONDS, max_size=12), cv=st.floats(1e-4, 1), max_s=st.floats(0, 500))
def test_it_is_over_when_steady_or_out_of_time(
    times_s: list[float], cv: float, max_s: float
) -> None:
    """The two rules hold for any times, and the variation is that of the last five."""
    warm_up = _warmed(times_s, cv=cv, max_s=max_s)
    last = times_s[-5:]
    achieved = pstdev(last) / fmean(last) if len(last) == WINDOW == 5 else None
    assert warm_up.achieved_cv == achieved
    assert warm_up.is_steady == (achieved is not None and achieved <= cv)
    assert warm_up.is_over == (bool(times_s) and (warm_up.is_steady or sum(times_s) >= max_s))


@deterministic
@given(times_s=st.lists(SECONDS, min_size=5, max_size=12), factor=st.sampled_from([0.25, 2, 64]))
def test_steadiness_does_not_depend_on_the_unit(times_s: list[float], factor: float) -> None:
    """Fast and slow work are judged alike, since the variation is relative."""
    scaled = _warmed([time_s * factor for time_s in times_s])
    assert scaled.achieved_cv == pytest.approx(_warmed(times_s).achieved_cv)


@deterministic
@given(times_s=st.lists(SECONDS, min_size=1, max_size=9), window_s=st.floats(0, 1000))
def test_repetitions_fill_the_window_with_little_to_spare(
    times_s: list[float], window_s: float
) -> None:
    """Repetitions of the typical length reach the window; one fewer would not, with its margin."""
    typical_s = sorted(times_s[-5:])[len(times_s[-5:]) // 2]
    if len(times_s[-5:]) % 2 == 0:
        ordered = sorted(times_s[-5:])
        typical_s = (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    count = _warmed(times_s).repetitions_for(window_s)
    assert count >= 1
    assert count * typical_s >= window_s * 1.05 * (1 - 1e-9)
    assert count == 1 or (count - 1) * typical_s < window_s * 1.05


def test_a_single_outlier_does_not_shorten_the_window() -> None:
    """The typical length is the median: one slow repetition does not halve the next window."""
    assert _warmed([1.0, 1.0, 1.0, 1.0, 50.0]).repetitions_for(10) == 11


def test_work_without_a_length_is_run_once() -> None:
    """A clock that did not advance gives no length to divide by."""
    assert _warmed([0.0]).repetitions_for(5) == 1
