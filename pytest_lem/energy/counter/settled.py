"""Edges of a counter that must not be polled: single readings at rest.

What such a reading shows is up to a tick old. At rest that is of little weight, because little
power is drawn there; so the work has to be over for longer than a tick before it is read.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lem.clock import Clock
from pytest_lem.energy.counter.edge import Edge
from pytest_lem.energy.counter.ticks import Counter, Found
from pytest_lem.energy.fault import Fault

#: Time between the readings that show the power at rest.
REST_S = 0.5


def settle(
    counters: Mapping[str, Counter], clock: Clock, *, count: int, tick_s: float
) -> dict[str, Found]:
    """Read each counter `count` times, a tick and a half after the work and then every `REST_S`.

    `tick_s` is the longest tick that the counters may have.
    """
    found = {name: Found() for name in counters}
    if not counters:
        return found
    clock.sleep(1.5 * tick_s)
    for number in range(count):
        if number:
            clock.sleep(REST_S)
        for name, counter in counters.items():
            _read(found[name], counter, clock, tick_s)
    return found


def _read(found: Found, counter: Counter, clock: Clock, tick_s: float) -> None:
    if found.fault is not None:
        return
    try:
        value_j = counter()
    except Fault as fault:
        found.fault = fault
        return
    found.edges.append(Edge(clock.now() - tick_s / 2, value_j, tick_s / 2))
