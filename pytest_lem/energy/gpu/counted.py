"""Boards whose energy counter is read: what has to be known of each before its first window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_lem.clock import Clock
from pytest_lem.energy.counter.observer import observe
from pytest_lem.energy.counter.ticks import find_ticks, tick_of
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.gpu.driver import Driver

#: Longest tick known for the counter, in seconds; used where a board's own cannot be measured.
ASSUMED_TICK_S = 0.1


@dataclass(slots=True, kw_only=True)
class CountedBoard:
    """A board and its counter.

    Attributes:
        limit_w: enforced power limit, None where the driver hides it.
        is_disturbed: whether reading changes what the counter shows; None before the test.
        tick_s: length of the counter's tick; None before it was measured.
        tick_p90_s: its 90th percentile.

    """

    uuid: str
    handle: Any
    driver: Driver
    limit_w: float | None
    is_disturbed: bool | None = None
    tick_s: float | None = None
    tick_p90_s: float | None = None

    @classmethod
    def of(cls, driver: Driver, uuid: str) -> CountedBoard:
        """Find a board by its UUID; raises DriverFault for an unknown one."""
        handle = driver.handle(uuid)
        limit_mw = driver.fact("nvmlDeviceGetEnforcedPowerLimit", handle)
        return cls(
            uuid=uuid, handle=handle, driver=driver, limit_w=limit_mw / 1000 if limit_mw else None
        )

    @property
    def can_be_polled(self) -> bool:
        """Tell whether its ticks may be searched for: only if that is known to do no harm."""
        return self.is_disturbed is False

    def read_j(self) -> float:
        """Return the counter in joules; raises DriverFault."""
        return int(self.driver.ask("nvmlDeviceGetTotalEnergyConsumption", self.handle)) / 1000


class Preparation:
    """Tests and measures the counters of new boards, each once in a session, whatever is found.

    The observer test is kept for the boot in `verdicts`; a board on which it is switched off
    (`observer_s` 0) and was never run is not polled.
    """

    def __init__(
        self, clock: Clock, verdicts: Verdicts, *, observer_s: float, tick_search_s: float
    ) -> None:
        self._clock = clock
        self._verdicts = verdicts
        self._observer_s = observer_s
        self._tick_search_s = tick_search_s
        self._prepared: set[str] = set()

    def prepare(self, boards: Iterable[CountedBoard]) -> None:
        """Find out what is not known yet of each board; the boards have to be at rest."""
        new = [board for board in boards if board.uuid not in self._prepared]
        self._prepared |= {board.uuid for board in new}
        for board in new:
            board.is_disturbed = self._verdicts.get(board.uuid, _version(board.driver))
        if self._observer_s > 0:
            self._observe([board for board in new if board.is_disturbed is None])
        self._measure_ticks([b for b in new if b.can_be_polled and self._tick_search_s > 0])

    def _observe(self, boards: list[CountedBoard]) -> None:
        if not boards:
            return
        counters = {board.uuid: board.read_j for board in boards}
        found = observe(counters, self._clock, rest_s=self._observer_s)
        for board in boards:
            if observation := found[board.uuid]:
                board.is_disturbed = observation.is_disturbed
                self._verdicts.put(
                    board.uuid, _version(board.driver), is_disturbed=observation.is_disturbed
                )

    def _measure_ticks(self, boards: list[CountedBoard]) -> None:
        until_s = self._clock.now() + self._tick_search_s
        counters = {board.uuid: board.read_j for board in boards}
        found = find_ticks(counters, self._clock, count=10**6, until_s=until_s)
        for board in boards:
            if tick := tick_of(found[board.uuid]):
                board.tick_s, board.tick_p90_s = tick.median_s, tick.p90_s


def _version(driver: Driver) -> str:
    return str(driver.fact("nvmlSystemGetDriverVersion"))
