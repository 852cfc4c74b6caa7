"""Energy from samples of a mean power, against what was drawn in truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.energy.sampling.integral import integral_j
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track

#: A power and the time from which it is drawn.
Steps = Sequence[tuple[float, float]]

AVERAGING_S = 1.0
IDLE_W, LOAD_W = 70.0, 500.0
#: At rest, at work for 3.37 s, at rest.
PULSE: Steps = [(-100, IDLE_W), (10, LOAD_W), (13.37, IDLE_W)]
HUNDREDTHS = [k / 10 + 0.03 for k in range(250)]


def true_j(steps: Steps, start_s: float, end_s: float) -> float:
    """Return the energy of steps of power between two times."""
    ends = [from_s for from_s, _ in steps[1:]] + [float("inf")]
    spans = [(max(a, start_s), min(b, end_s), w) for (a, w), b in zip(steps, ends, strict=True)]
    return sum(power_w * max(b - a, 0) for a, b, power_w in spans)


def sampled(steps: Steps, times_s: Iterable[float], averaging_s: float = AVERAGING_S) -> Series:
    """Return what a driver shows: at each time, the mean power of the time before it."""
    series = Series({"GPU-a": Track(("power_w",))}, interval_s=0.1)
    for time_s in times_s:
        mean_w = true_j(steps, time_s - averaging_s, time_s) / averaging_s
        series.add([[time_s, mean_w]])
    return series


def test_a_pulse_between_rests_is_within_a_percent() -> None:
    """A mean over a second, taken every 0.1 s, keeps the energy of a widened window."""
    found_j = integral_j(sampled(PULSE, HUNDREDTHS), "GPU-a", 8, 16, AVERAGING_S)
    assert found_j == pytest.approx(true_j(PULSE, 8, 16), rel=0.01)


@pytest.mark.parametrize(("start_s", "end_s"), [(5, 11.9), (11.4, 20)])
def test_a_window_may_end_in_steady_load(start_s: float, end_s: float) -> None:
    """Samples stand for the middle of what they are a mean of, or a step would come late."""
    series = sampled(PULSE, HUNDREDTHS)
    true = true_j(PULSE, start_s, end_s)
    assert integral_j(series, "GPU-a", start_s, end_s, AVERAGING_S) == pytest.approx(true, rel=0.01)
    assert integral_j(series, "GPU-a", start_s, end_s, 0) != pytest.approx(true, rel=0.05)


@given(
    st.lists(
        st.tuples(st.floats(0.05, 3), st.floats(10, 1000)),
        min_size=1,
        max_size=12,
    ),
    st.floats(0, 0.1),
    st.sampled_from([0.025, 0.1, 1.0]),
)
def test_any_work_between_rests_keeps_its_energy(
    parts: list[tuple[float, float]], phase_s: float, averaging_s: float
) -> None:
    """Whatever its shape and the phase of the samples; what the interval steps over is bounded."""
    steps = [(-100.0, IDLE_W)]
    end_s = 3.0
    for duration_s, power_w in parts:
        steps.append((end_s, power_w))
        end_s += duration_s
    steps.append((end_s, IDLE_W))
    times_s = [phase_s + k / 10 for k in range(round(end_s * 10) + 40)]
    found_j = integral_j(sampled(steps, times_s, averaging_s), "GPU-a", 1, end_s + 2, averaging_s)
    assert found_j is not None
    jumps_w = sum(abs(b - a) for (_, a), (_, b) in pairwise(steps))
    bound_j = jumps_w * 0.1 / 2 if averaging_s < 0.1 else jumps_w * 0.1**2 / averaging_s / 2
    assert abs(found_j - true_j(steps, 1, end_s + 2)) <= bound_j + 1e-6


def test_a_window_between_two_samples_is_interpolated() -> None:
    """Its energy is the area under the line from the one to the other."""
    series = Series({"GPU-a": Track(("power_w",))}, interval_s=1)
    series.add([[0.0, 100]])
    series.add([[1.0, 200]])
    assert integral_j(series, "GPU-a", 0.25, 0.75, 0) == pytest.approx(0.5 * 150)
    assert integral_j(series, "GPU-a", 0, 1, 0) == pytest.approx(150)


@pytest.mark.parametrize(("start_s", "end_s"), [(-0.6, 5), (5, 24.8), (30, 31)])
def test_a_window_that_is_not_covered_has_no_energy(start_s: float, end_s: float) -> None:
    """Samples stand for half a second before they were taken, and for nothing beyond."""
    assert integral_j(sampled(PULSE, HUNDREDTHS), "GPU-a", start_s, end_s, AVERAGING_S) is None


def test_a_gap_in_the_window_leaves_no_energy() -> None:
    """Nobody knows what was drawn in it; outside the window it does no harm."""
    times_s = [time_s for time_s in HUNDREDTHS if not 11 < time_s < 11.3]
    series = sampled(PULSE, times_s)
    assert integral_j(series, "GPU-a", 8, 16, AVERAGING_S) is None
    assert integral_j(series, "GPU-a", 11, 16, AVERAGING_S) is not None


def test_a_missing_sample_is_bridged() -> None:
    """Over less than three intervals, the power is taken to go straight on."""
    times_s = [time_s for time_s in HUNDREDTHS if not 11 < time_s < 11.1]
    assert integral_j(sampled(PULSE, times_s), "GPU-a", 8, 16, AVERAGING_S) is not None


def test_a_device_without_power_has_no_energy() -> None:
    """Neither one that is not there, nor one whose power nobody knows."""
    series = Series({"machine": Track(("utilisation",))}, interval_s=0.1)
    series.add([[1.0, 0.5]])
    assert integral_j(series, "machine", 1, 1, 0) is None
    assert integral_j(series, "GPU-a", 1, 1, 0) is None
