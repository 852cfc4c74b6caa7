"""Energy from sampled power."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from pytest_lem.energy.sampling.series import Series

#: Power is not interpolated over more intervals than this.
_LONGEST_STEP = 3


def integral_j(
    series: Series, device: str, start_s: float, end_s: float, averaging_s: float
) -> float | None:
    """Return the joules that a device drew between two times, by the trapezoidal rule.

    Each sample is the mean power of the `averaging_s` seconds before it, so that it stands for
    their middle (Yang et al., SC'24, section 5). The mean smears what it sees over `averaging_s`:
    a window has to begin and end in steady power, else what it cuts off is not made up for.

    None: the samples do not reach from `start_s` to `end_s`, or leave a gap of more than three
    intervals in between.
    """
    times_s, powers_w = series.column(device, "power_w")
    middles_s = [time_s - averaging_s / 2 for time_s in times_s]
    first = bisect_right(middles_s, start_s) - 1
    last = bisect_left(middles_s, end_s)
    if first < 0 or last >= len(middles_s):
        return None
    points = list(zip(middles_s, powers_w, strict=True))[first : last + 1]
    if any(b - a > _LONGEST_STEP * series.interval_s for (a, _), (b, _) in pairwise(points)):
        return None
    return sum(_area_j(a, b, start_s, end_s) for a, b in pairwise(points))


def _area_j(
    before: tuple[float, float], after: tuple[float, float], start_s: float, end_s: float
) -> float:
    """Return the area under the line between two points, inside the window alone."""
    (from_s, from_w), (to_s, to_w) = before, after
    left_s, right_s = max(from_s, start_s), min(to_s, end_s)
    if right_s <= left_s:
        return 0.0
    slope = (to_w - from_w) / (to_s - from_s)
    return (from_w + slope * ((left_s + right_s) / 2 - from_s)) * (right_s - left_s)
