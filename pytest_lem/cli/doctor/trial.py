"""Trying the counters of boards: what is kept about them, and what they show now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pytest_lem.cli.doctor.expectation import Ticking
from pytest_lem.clock import Clock
from pytest_lem.config.models import EnergySettings
from pytest_lem.energy.counter.edge import Stretch
from pytest_lem.energy.counter.settled import settle
from pytest_lem.energy.counter.ticks import Found, find_ticks
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.gpu.counted import ASSUMED_TICK_S, CountedBoard, Preparation
from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.flags import Reason

#: Edges between which the power at rest is measured: ten ticks.
REST_EDGES = 11

Source = Literal["cached", "measured", "not_tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is known about the counter of a board.

    Attributes:
        source: where the verdict about its disturbance comes from.
        is_disturbed: whether reading changes what it shows; None when unknown.
        tick_s: length of its tick, None when it was not measured; `tick_p90_s` is its 90th
            percentile.
        rest_w: power at rest, None when it was not measured.
        limit_w: enforced power limit, None where the driver hides it.
        half_width_s: how well the moment of a tick was known; None without ticks.
        trouble: what went wrong in the test, in a sentence.

    """

    source: Source
    is_disturbed: bool | None
    tick_s: float | None = None
    tick_p90_s: float | None = None
    rest_w: float | None = None
    limit_w: float | None = None
    half_width_s: float | None = None
    trouble: str | None = None

    @property
    def ticking(self) -> Ticking | None:
        """Return what decides about its windows; None before it was tried."""
        if self.rest_w is None or self.limit_w is None:
            return None
        return Ticking(
            tick_s=self.tick_s or ASSUMED_TICK_S,
            half_width_s=self.half_width_s,
            rest_w=self.rest_w,
            load_w=self.limit_w,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Tries the counters of boards by UUID. The boards have to be readable."""

    driver: Driver
    clock: Clock
    verdicts: Verdicts

    def known(self, uuids: Sequence[str]) -> dict[str, Trial]:
        """Return what earlier runs have found out, without reading any counter."""
        boards = self._prepared(uuids, observer_s=0, tick_search_s=0)
        return {
            uuid: Trial(
                source="not_tested" if board.is_disturbed is None else "cached",
                is_disturbed=board.is_disturbed,
                limit_w=board.limit_w,
            )
            for uuid, board in boards.items()
        }

    def run(self, uuids: Sequence[str]) -> dict[str, Trial]:
        """Test and measure as a session does when it starts. The boards have to be at rest."""
        known = self.known(uuids)
        settings = EnergySettings()
        boards = self._prepared(
            uuids, observer_s=settings.observer_s, tick_search_s=settings.tick_search_s
        )
        rests = _rests(boards, self.clock)
        return {
            uuid: _tried(
                board, rests[uuid], "cached" if known[uuid].source == "cached" else "measured"
            )
            for uuid, board in boards.items()
        }

    def _prepared(
        self, uuids: Sequence[str], *, observer_s: float, tick_search_s: float
    ) -> dict[str, CountedBoard]:
        boards = {uuid: CountedBoard.of(self.driver, uuid) for uuid in uuids}
        preparation = Preparation(
            self.clock, self.verdicts, observer_s=observer_s, tick_search_s=tick_search_s
        )
        preparation.prepare(boards.values())
        return boards


def _rests(boards: Mapping[str, CountedBoard], clock: Clock) -> dict[str, Found]:
    """Return edges of all boards at rest, those that may be polled at their ticks."""
    single = {uuid: board.read_j for uuid, board in boards.items() if not board.can_be_polled}
    polled = {uuid: board.read_j for uuid, board in boards.items() if board.can_be_polled}
    return settle(single, clock, count=2, tick_s=ASSUMED_TICK_S) | find_ticks(
        polled, clock, count=REST_EDGES
    )


def _tried(board: CountedBoard, rest: Found, source: Source) -> Trial:
    edges = rest.edges
    stretch = Stretch(edges[0], edges[-1]) if len(edges) > 1 else None
    rest_w = stretch.power_w if stretch and stretch.energy_j > 0 else None
    half_width_s = median(edge.half_width_s for edge in edges) if edges else None
    return Trial(
        source=source,
        is_disturbed=board.is_disturbed,
        tick_s=board.tick_s,
        tick_p90_s=board.tick_p90_s,
        rest_w=rest_w,
        limit_w=board.limit_w,
        half_width_s=half_width_s if board.can_be_polled else None,
        trouble=_trouble(rest) if rest_w is None else None,
    )


def _trouble(rest: Found) -> str:
    if rest.fault and rest.fault.reason is not Reason.NO_TICK:
        return str(rest.fault)
    return "the energy counter stands still; update the driver, or measure on another board"
