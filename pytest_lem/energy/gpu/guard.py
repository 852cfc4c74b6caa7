"""Looks after the boards in a window: what slowed them down, and who else was on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.clock import Clock
from pytest_lem.energy.gpu.boards import known_as, parent_of
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.gpu.processes import (
    Tenant,
    on_board,
    session_pids,
    tenancy,
    tree_of,
    uuids_used_by,
)
from pytest_lem.energy.gpu.throttling import Snapshot, Throttling, snapshot
from pytest_lem.flags import Flag, Reason


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of the boards at one moment, by UUID."""

    time_s: float
    slowed: dict[str, Snapshot]
    tenants: dict[str, list[Tenant] | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What else was seen of one board in a window, by sampling: event reasons, processes."""

    bits: int | None = None
    tenants: frozenset[Tenant] = frozenset()


@dataclass(slots=True)
class Judgement:
    """What a window's boards went through."""

    throttling: dict[str, Throttling] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)


class BoardGuard:
    """Follows the boards that a measurement is about.

    Who is on a board when it is followed for the first time was there before the work.
    """

    def __init__(self, clock: Clock, nvml: Any = None) -> None:
        self._clock = clock
        self._driver = Driver(nvml)
        self._uuids: list[str] = []
        self._handles: dict[str, Any] = {}
        self._before: dict[str, list[Tenant] | None] = {}
        self._own: tuple[int, ...] = ()

    @property
    def uuids(self) -> list[str]:
        """Return the boards that are followed; one that the driver does not know is among them."""
        return list(self._uuids)

    def follow(self, uuids: Sequence[str], pids: Sequence[int] = ()) -> None:
        """Turn to the boards that these GPUs are, or are slices of; an unknown one is not seen.

        `pids` are processes whose work is measured though this session has not started them.
        """
        self._own = tuple(pids)
        found = dict(self._found(uuid) for uuid in uuids)
        self._uuids = list(found)
        self._handles = {uuid: handle for uuid, handle in found.items() if handle is not None}
        for uuid, handle in self._handles.items():
            if uuid not in self._before:
                self._before[uuid] = on_board(self._driver, handle)

    def look(self) -> Sight:
        """Look at the boards."""
        handles = self._handles.items()
        return Sight(
            self._clock.now(),
            {uuid: snapshot(self._driver, handle) for uuid, handle in handles},
            {uuid: on_board(self._driver, handle) for uuid, handle in handles},
        )

    def judge(self, first: Sight, seen: dict[str, Seen]) -> Judgement:
        """Look again after a window, and say what happened in it."""
        last = self.look()
        found = Judgement()
        for uuid in self._handles:
            also = seen.get(uuid, Seen())
            slowed = Throttling.between(
                first.slowed[uuid],
                last.slowed[uuid],
                window_s=last.time_s - first.time_s,
                bits=also.bits,
            )
            found.throttling[uuid] = slowed
            found.reasons += slowed.reasons()
            tenants = {*(first.tenants[uuid] or ()), *(last.tenants[uuid] or ()), *also.tenants}
            self._judge_tenants(found, self._before[uuid], tenants)
        return found

    def used_by(self, pids: Sequence[int]) -> list[str]:
        """Return the GPUs on which any of these processes computes, as the driver sees it."""
        try:
            self._driver.open()
            return uuids_used_by(self._driver, pids)
        except DriverFault:
            return []

    def _judge_tenants(
        self, found: Judgement, before: list[Tenant] | None, tenants: Iterable[Tenant]
    ) -> None:
        own = session_pids().union(*map(tree_of, self._own))
        other = tenancy(before, tenants, own, is_used=True)
        found.flags |= other.flags
        if other.foreign:
            found.reasons.append(Reason.FOREIGN_PROCESS)

    def _found(self, uuid: str) -> tuple[str, Any]:
        """Return the name and the handle of a board; None for one that the driver does not know."""
        try:
            self._driver.open()
            board = parent_of(self._driver, known_as(self._driver, uuid))
            return board, self._driver.handle(board)
        except DriverFault:
            return uuid, None
