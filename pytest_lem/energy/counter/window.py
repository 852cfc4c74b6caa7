"""The energy of a window, from the edges of a counter around it.

A window seldom begins or ends where the counter ticks. The stretch between the last edge before
its start and the first after its end covers it and two pads, whose energy is subtracted: their
power is that of the stretches just before and just after, which the counter shows as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

from pytest_lem.energy.counter.edge import Edge, Stretch

#: How long the fall from load to rest may take without being seen in the tick after the window.
HIDDEN_FALL_S = 0.01
#: Counters and readings are whole millijoules.
RESOLUTION_J = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Joules:
    """Energy of a window, its standard uncertainty (k = 1), and the most that it can be off.

    Both leave out the gain of the sensor. `bound_j` is None where no largest power is known.
    """

    value_j: float
    u_j: float
    bound_j: float | None


def energy_between(
    before: Stretch, after: Stretch, start_s: float, end_s: float, *, limit_w: float | None
) -> Joules:
    """Return the energy from `start_s` to `end_s` of work that begins and ends at rest.

    `before` ends before the work starts, and `after` begins once it is done. `limit_w` is the
    largest power that the device can draw.

    The power just after the work decays to that of rest: the pad's is taken as that of `after`
    and half of what is left of the load there, plus or minus that half, and a fall within
    `HIDDEN_FALL_S`, of which `after` shows nothing, is in the uncertainty.
    """
    lead_s = start_s - before.last.time_s
    trail_s = after.first.time_s - end_s
    rest_w = before.power_w
    left_w = max(0.0, after.power_w - rest_w)
    trail_w = after.power_w + left_w / 2
    covered_j = after.first.value_j - before.last.value_j
    value_j = covered_j - rest_w * lead_s - trail_w * trail_s
    fall_w = max(0.0, value_j / (end_s - start_s) - after.power_w)
    u_j = _root_sum(
        rest_w * before.last.half_width_s / sqrt(3),
        trail_w * after.first.half_width_s / sqrt(3),
        _power_u(before) * lead_s,
        _power_u(after) * trail_s,
        left_w * trail_s / sqrt(3),
        fall_w * min(max(trail_s, 0.0), HIDDEN_FALL_S) / sqrt(3),
        RESOLUTION_J,
    )
    bound_j = None
    if limit_w is not None:
        bound_j = (
            _worst(rest_w, limit_w) * max(lead_s, 0.0)
            + _worst(trail_w, limit_w) * max(trail_s, 0.0)
            + limit_w * (before.last.half_width_s + after.first.half_width_s)
            + 2 * RESOLUTION_J
        )
    return Joules(value_j=value_j, u_j=u_j, bound_j=bound_j)


def energy_in_load(
    first: Edge, last: Edge, start_s: float, end_s: float, *, limit_w: float | None
) -> Joules:
    """Return the energy from `start_s` to `end_s` inside a load that runs on around them.

    It is the mean power between the edges times the window, so a window that begins and ends on
    the edges themselves is best. Outside it, the power may be anything from none to twice the
    mean (`u_j`) or to the limit (`bound_j`).
    """
    stretch = Stretch(first, last)
    window_s = end_s - start_s
    missed_s = abs(start_s - first.time_s) + abs(end_s - last.time_s)
    u_j = _root_sum(
        _power_u(stretch) * window_s, stretch.power_w * missed_s / sqrt(3), RESOLUTION_J
    )
    bound_j = None
    if limit_w is not None:
        width_s = first.half_width_s + last.half_width_s
        # The edges may be wrong by their widths, and what is missed may be wholly different.
        bound_j = (
            limit_w * (width_s + missed_s) * window_s / (stretch.duration_s - width_s)
            + limit_w * missed_s
            + 2 * RESOLUTION_J
        )
    return Joules(value_j=stretch.power_w * window_s, u_j=u_j, bound_j=bound_j)


def _power_u(stretch: Stretch) -> float:
    """Return the standard uncertainty of the mean power, from the widths of the edges."""
    width_s = hypot(stretch.first.half_width_s, stretch.last.half_width_s) / sqrt(3)
    return stretch.power_w * width_s / stretch.duration_s


def _worst(assumed_w: float, limit_w: float) -> float:
    """Return the most by which a power between none and the limit differs from the assumed."""
    return max(assumed_w, limit_w - assumed_w)


def _root_sum(*parts: float) -> float:
    return sqrt(sum(part * part for part in parts))
