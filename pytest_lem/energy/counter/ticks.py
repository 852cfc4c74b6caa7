"""Finding the ticks of counters: polling them until they advance.

A counter is a function that returns joules, or raises `Fault`. All counters given are polled in
one loop, so that the ticks of eight boards take no longer than those of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from pytest_lem.clock import Clock
from pytest_lem.energy.counter.edge import Edge
from pytest_lem.energy.fault import Fault
from pytest_lem.flags import Reason

Counter = Callable[[], float]

#: Time between two looks at a counter whose tick is waited for.
POLL_S = 0.001
#: A counter that has not advanced for this long does not tick.
PATIENCE_S = 2.0
#: Fewer ticks than this say too little about their length.
FEWEST_TICKS = 20


@dataclass(slots=True)
class Found:
    """The ticks seen of one counter, and the fault that ended the search if there was one."""

    edges: list[Edge] = field(default_factory=list)
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The length of a counter's tick, from `n` intervals."""

    median_s: float
    p90_s: float
    n: int


def find_ticks(
    counters: Mapping[str, Counter],
    clock: Clock,
    *,
    count: int,
    poll_s: float = POLL_S,
    until_s: float | None = None,
) -> dict[str, Found]:
    """Poll until each counter has ticked `count` times, has failed, or the time is over.

    `until_s` is the end of the search on the clock; without it, a counter that stands still for
    `PATIENCE_S` fails with the reason `no_tick`.
    """
    watches = {name: _Watch(counter, clock) for name, counter in counters.items()}
    while waiting := [w for w in watches.values() if not w.is_over(count)]:
        if until_s is not None and clock.now() >= until_s:
            break
        for watch in waiting:
            watch.look(is_patient=until_s is not None)
        clock.sleep(poll_s)
    return {name: watch.found for name, watch in watches.items()}


def tick_of(found: Found) -> Tick | None:
    """Return the length of the ticks found; None when they are too few to tell."""
    times_s = [edge.time_s for edge in found.edges]
    lengths_s = sorted(b - a for a, b in pairwise(times_s))
    if len(lengths_s) < FEWEST_TICKS:
        return None
    return Tick(
        median_s=median(lengths_s),
        p90_s=lengths_s[int(0.9 * (len(lengths_s) - 1))],
        n=len(lengths_s),
    )


class _Watch:
    """One counter under watch."""

    def __init__(self, counter: Counter, clock: Clock) -> None:
        self.found = Found()
        self._counter = counter
        self._clock = clock
        self._value_j: float | None = None
        self._seen_s = 0.0
        self._changed_s = clock.now()

    def is_over(self, count: int) -> bool:
        return self.found.fault is not None or len(self.found.edges) >= count

    def look(self, *, is_patient: bool) -> None:
        before_s = self._clock.now()
        try:
            value_j = self._counter()
        except Fault as fault:
            self.found.fault = fault
            return
        after_s = self._clock.now()
        if self._value_j is not None and value_j != self._value_j:
            self._tick(value_j, after_s)
        elif not is_patient and after_s - self._changed_s > PATIENCE_S:
            self.found.fault = Fault(Reason.NO_TICK)
        self._value_j, self._seen_s = value_j, before_s

    def _tick(self, value_j: float, after_s: float) -> None:
        """Note a tick: it came after the look before had begun, and before this one ended."""
        half_s = (after_s - self._seen_s) / 2
        self.found.edges.append(Edge(self._seen_s + half_s, value_j, half_s))
        self._changed_s = after_s
