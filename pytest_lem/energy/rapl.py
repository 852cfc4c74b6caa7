"""Intel and AMD CPUs: the energy counters of packages and their memory (RAPL).

They come from `/sys/class/powercap`, or from perf where those files cannot be read. They cover the
whole machine, whoever uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import ClassVar

from pytest_lem.clock import Clock, MonotonicClock
from pytest_lem.energy.cpu import perf, powercap
from pytest_lem.energy.cpu.counter import Counter, CounterFault
from pytest_lem.energy.cpu.trip import Leg, Trip
from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Energy, Tier, unknown

#: Time between two refreshes of the counters (Linux documentation of amd_energy), in seconds.
REFRESH_S = 0.001
#: The coarsest step of a counter that the same page names, in joules.
RESOLUTION_J = 0.000125
#: Taken for the sensor's gain until a source for the CPU at hand is known.
RELATIVE_GAIN = 0.05


class RaplMeter:
    """What the counters count from the first edge of a window to the last, over all turns."""

    name: ClassVar[str] = "rapl"
    method: ClassVar[str] = "rapl-2"

    def __init__(
        self,
        *,
        root: Path = powercap.ROOT,
        opener: perf.Opener = perf.open_event,
        clock: Clock | None = None,
        **_: object,
    ) -> None:
        self._root = root
        self._opener = opener
        self._clock = clock or MonotonicClock()
        self._counters: Sequence[Counter] = ()
        self._trip: Trip | None = None

    @property
    def tick_s(self) -> float:
        """Return the time between two refreshes."""
        return REFRESH_S

    def availability(self) -> Availability:
        """Say whether there are counters, and whether this user may read them."""
        try:
            counters = self._find()
        except CounterFault as fault:
            return Availability(tier=Tier.NONE, sentence=str(fault), code=fault.reason)
        if not counters:
            return Availability(tier=Tier.NONE, sentence=f"no RAPL counters in {self._root}")
        names = ", ".join(counter.device for counter in counters)
        way = " through perf" if isinstance(counters[0], perf.OpenEvent) else ""
        _close(counters)
        return Availability(tier=Tier.COUNTER, sentence=f"RAPL counters of {names}{way}")

    def open(self, scope: Scope) -> None:  # noqa: ARG002 - the counters know no processes
        """Find the counters. Where there are some and none can be read, the windows say why."""
        self.close()
        try:
            self._counters = self._find()
        except CounterFault:
            self._counters = powercap.zones(self._root)

    def begin(self) -> Trip:
        """Read the first edge; from there on a thread keeps count of the turns."""
        self._stop()
        self._trip = Trip(self._counters, self._clock.now)
        self._trip.begin()
        return self._trip

    def end(self, edge: Trip, start_s: float, end_s: float) -> Sequence[Energy]:
        """Read the last edge and return the energy of each counter."""
        return [_energy(leg, end_s - start_s) for leg in edge.finish()]

    def close(self) -> None:
        """End the thread and forget the counters."""
        self._stop()
        _close(self._counters)
        self._counters = ()

    def _stop(self) -> None:
        if self._trip is not None:
            self._trip.stop()
            self._trip = None

    def _find(self) -> Sequence[Counter]:
        """Return the counters of the first source that can be read; empty if there is none.

        Raises the CounterFault of the best source where there are counters, and none can be read.
        """
        faults: list[CounterFault] = []
        for source in (self._zones, self._events):
            try:
                if counters := source():
                    return counters
            except CounterFault as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
        return ()

    def _zones(self) -> Sequence[Counter]:
        return powercap.distinct(powercap.zones(self._root), self._clock.sleep)

    def _events(self) -> Sequence[Counter]:
        sysfs = self._root.parent.parent  # which has `class/powercap`
        return perf.start(perf.events(sysfs), self._opener)


def _close(counters: Sequence[Counter]) -> None:
    """Close those that are open; zones are files that are opened for each reading."""
    for counter in counters:
        if isinstance(counter, perf.OpenEvent):
            counter.close()


def _energy(leg: Leg, window_s: float) -> Energy:
    """Return the energy of one counter.

    The counter shows the energy up to its last refresh, at both edges (rectangular), in whole
    steps. At most, a refresh is missing at the largest power; twice that allows for a refresh
    that is late, and for peaks above the limits that the kernel names.
    """
    counter = leg.counter
    try:
        value_j = leg.used_uj() / 1e6
    except CounterFault as fault:
        return unknown(counter.domain, counter.device, Tier.COUNTER, fault.reason, str(fault))
    power_w = value_j / window_s
    return Energy(
        domain=counter.domain,
        device=counter.device,
        tier=Tier.COUNTER,
        value_j=value_j,
        u_random_j=power_w * REFRESH_S * sqrt(2 / 12),
        u_systematic_j=value_j * RELATIVE_GAIN / sqrt(3),
        bound_j=2 * (REFRESH_S * max(power_w, counter.max_power_w) + RESOLUTION_J),
    )
