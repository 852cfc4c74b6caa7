"""When a warm-up ends."""

from __future__ import annotations

from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.measure.warmup import WINDOW, Bin, WarmUp

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

SECONDS = st.floats(1e-3, 100)


def _warmed(times_s: list[float], *, cv: float = 0.01, max_s: float = 120) -> WarmUp:
    warm_up = WarmUp(cv=cv, max_s=max_s)
    for time_s in times_s:
        warm_up.add(Bin(start_s=0.0, end_s=time_s))
    return warm_up


def _bins(
    *, powers_w: list[float | None], calm_s: float = 0.0, celsius: list[float | None] | None = None
) -> WarmUp:
    """Return a warm-up of bins of ten seconds, one after the other."""
    warm_up = WarmUp(cv=0.01, max_s=120, calm_s=calm_s)
    for n, power_w in enumerate(powers_w):
        temperature_c = celsius[n] if celsius else None
        warm_up.add(
            Bin(
                start_s=10.0 * n,
                end_s=10.0 * (n + 1),
                repetitions=5,
                power_w=power_w,
                temperature_c=temperature_c,
            )
        )
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


def test_energy_decides_where_it_is_known() -> None:
    """Even times are not steady while the power still climbs."""
    assert not _bins(powers_w=[100.0, 120.0, 140.0, 150.0, 155.0]).is_steady
    assert _bins(powers_w=[100.0, 150.0, 150.0, 151.0, 150.0, 150.0]).is_steady


def test_time_decides_where_a_power_is_missing() -> None:
    """A gap in the samples does not make five even times unsteady."""
    assert _bins(powers_w=[100.0, 120.0, None, 150.0, 155.0]).is_steady


def test_a_temperature_has_to_stay() -> None:
    """With steady power, the warm-up still lasts until the device is no longer heating up."""
    steady = [150.0] * 8
    rising = [40.0, 50.0, 55.0, 58.0, 60.0, 60.0, 61.0, 61.0]
    assert not _bins(powers_w=steady[:6], celsius=rising[:6], calm_s=30).is_steady
    assert _bins(powers_w=steady, celsius=rising, calm_s=30).is_steady


def test_a_temperature_that_is_not_known_is_not_waited_for() -> None:
    """Nor is one that has not been watched for long enough taken to be steady."""
    assert _bins(powers_w=[150.0] * 5, calm_s=30).is_steady
    assert not _bins(powers_w=[150.0] * 5, celsius=[None] * 3 + [50.0] * 2, calm_s=30).is_steady


def test_the_length_of_a_repetition_is_a_part_of_its_bin() -> None:
    """Five repetitions in ten seconds fill twenty seconds eleven times."""
    assert _bins(powers_w=[1.0]).repetitions_for(20) == 11
