"""The power of a RAPL zone, from its counter."""

from __future__ import annotations

from pytest_lem.energy.cpu.counter import Counter, CounterFault
from pytest_lem.energy.cpu.odometer import step_uj, turn_s
from pytest_lem.energy.sampling.track import Source


class ZoneProbe:
    """The mean power since the sample before."""

    columns: tuple[str, ...] = ("power_w",)

    def __init__(self, counter: Counter, interval_s: float) -> None:
        self.device = counter.device
        self.source: Source | None = Source(name="RAPL", averaging_s=interval_s)
        self._counter = counter
        self._turn_s = turn_s(counter.range_uj, counter.max_power_w)
        self._last: tuple[float, int] | None = None

    def read(self, now_s: float) -> list[float | None]:
        """Return the power in watts; None for the first sample and where a count is missing."""
        before, self._last = self._last, self._count(now_s)
        return [self._power_w(before, self._last)]

    def _count(self, now_s: float) -> tuple[float, int] | None:
        try:
            return now_s, self._counter.read_uj()
        except CounterFault:
            return None

    def _power_w(
        self, before: tuple[float, int] | None, after: tuple[float, int] | None
    ) -> float | None:
        if before is None or after is None:
            return None
        window_s = after[0] - before[0]
        step = step_uj(before[1], after[1], self._counter.range_uj)
        if step is None or not 0 < window_s < self._turn_s:
            return None
        return round(step / 1e6 / window_s, 3)
