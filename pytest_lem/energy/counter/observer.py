"""Does reading a counter change what it shows? On some boards it does, for all who read it.

At rest, the power that the counter shows under dense reading is compared with what it shows
between two readings alone. Dense reading comes first and last, so that a slow drift cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, sqrt
from statistics import median

from pytest_lem.clock import Clock
from pytest_lem.energy.counter.edge import Edge, Stretch
from pytest_lem.energy.counter.ticks import Counter, Found, find_ticks
from pytest_lem.energy.fault import Fault

#: Time between two readings under dense reading.
DENSE_S = 0.02
#: Shares of the undisturbed power within which a counter counts as undisturbed.
LOWEST, HIGHEST = 0.98, 1.02
#: A dense power that is less certain than this (k = 2, a share) tells nothing.
LEAST_CERTAIN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The power of one counter at rest, read seldom and read densely."""

    quiet_w: float
    dense_w: float

    @property
    def is_disturbed(self) -> bool:
        """Tell whether reading changes what the counter shows."""
        return not LOWEST * self.quiet_w <= self.dense_w <= HIGHEST * self.quiet_w


def observe(
    counters: Mapping[str, Counter], clock: Clock, *, rest_s: float
) -> dict[str, Observation | None]:
    """Compare both ways of reading, `rest_s` seconds each.

    None for a counter that shows no power, or on a machine so busy that it was read too seldom to
    tell. Takes a little more than twice `rest_s`.
    """
    first = _read_densely(counters, clock, rest_s / 2)
    quiet = _read_twice(counters, first, clock, rest_s)
    last = _read_densely(counters, clock, rest_s / 2)
    return {name: _observation(first[name], quiet[name], last[name]) for name in counters}


def _read_densely(
    counters: Mapping[str, Counter], clock: Clock, duration_s: float
) -> dict[str, Found]:
    until_s = clock.now() + duration_s
    return find_ticks(
        counters, clock, count=round(duration_s / DENSE_S) + 1, poll_s=DENSE_S, until_s=until_s
    )


def _read_twice(
    counters: Mapping[str, Counter], seen: Mapping[str, Found], clock: Clock, duration_s: float
) -> dict[str, Stretch | None]:
    """Read each counter twice, a whole number of its ticks apart and in the middle of one.

    Both readings then lag by the same part of a tick, which cancels.
    """
    begun_s = clock.now()
    firsts: dict[str, Edge | None] = {}
    for name, counter in counters.items():
        tick_s, offset_s = _rhythm(seen[name])
        _wait_for(clock, begun_s, tick_s, offset_s)
        firsts[name] = _read(counter, clock)
    begun_s += duration_s
    lasts: dict[str, Edge | None] = {}
    for name, counter in counters.items():
        tick_s, offset_s = _rhythm(seen[name])
        _wait_for(clock, begun_s, tick_s, offset_s)
        lasts[name] = _read(counter, clock)
    return {name: _stretch(firsts[name], lasts[name]) for name in counters}


def _rhythm(found: Found) -> tuple[float, float]:
    """Return the length of a tick and a moment in the middle of one; 0 where none was seen."""
    times_s = [edge.time_s for edge in found.edges]
    if len(times_s) < 2:  # noqa: PLR2004 - one interval is the least
        return 0.0, 0.0
    tick_s = (times_s[-1] - times_s[0]) / max(1, round(_intervals(times_s)))
    return tick_s, times_s[-1] + tick_s / 2


def _intervals(times_s: list[float]) -> float:
    """Return the number of ticks between the first and the last, also where some were missed."""
    typical_s = median(b - a for a, b in pairwise(times_s))
    return (times_s[-1] - times_s[0]) / typical_s


def _wait_for(clock: Clock, begun_s: float, tick_s: float, offset_s: float) -> None:
    """Wait for the first moment after `begun_s` that lies whole ticks after `offset_s`."""
    due_s = begun_s
    if tick_s > 0:
        due_s += (offset_s - begun_s) % tick_s
    clock.sleep(due_s - clock.now())


def _read(counter: Counter, clock: Clock) -> Edge | None:
    try:
        value_j = counter()
    except Fault:
        return None
    return Edge(clock.now(), value_j, 0.0)


def _stretch(first: Edge | None, last: Edge | None) -> Stretch | None:
    return None if first is None or last is None else Stretch(first, last)


def _observation(first: Found, quiet: Stretch | None, last: Found) -> Observation | None:
    dense = [Stretch(f.edges[0], f.edges[-1]) for f in (first, last) if len(f.edges) > 1]
    if quiet is None or quiet.energy_j <= 0 or len(dense) < 2:  # noqa: PLR2004 - before and after
        return None
    if _uncertainty(dense) > LEAST_CERTAIN:
        return None
    dense_w = sum(stretch.power_w for stretch in dense) / len(dense)
    return Observation(quiet_w=quiet.power_w, dense_w=dense_w)


def _uncertainty(stretches: list[Stretch]) -> float:
    """Return the expanded uncertainty of the mean power, as a share, from the edges' widths."""
    widths_s = [
        edge.half_width_s / sqrt(3) / stretch.duration_s
        for stretch in stretches
        for edge in (stretch.first, stretch.last)
    ]
    return 2 * hypot(*widths_s) / len(stretches)
