"""NVIDIA GPUs: the energy counter that NVML keeps for each board.

The counter advances in ticks, and windows are measured between them. Devices are known by UUID;
a slice of a board (MIG) has no counter, so its figure is that of the whole board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from pytest_lem.clock import Clock, MonotonicClock
from pytest_lem.energy.counter.edge import Stretch
from pytest_lem.energy.counter.settled import settle
from pytest_lem.energy.counter.ticks import Found, find_ticks
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.counter.window import Joules, energy_between, energy_in_load
from pytest_lem.energy.gpu.boards import counter_fault, is_split, known_as, parent_of
from pytest_lem.energy.gpu.counted import ASSUMED_TICK_S, CountedBoard, Preparation
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Domain, Energy, Tier, unknown
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.flags import Flag, Reason

#: Gain of the boards' sensors, from comparisons with external meters (Yang et al., SC'24).
RELATIVE_GAIN = 0.05
#: Shares of the power at rest and of the enforced limit between which a mean power can be true.
LEAST_OF_REST, MOST_OF_LIMIT = 0.5, 1.05


@dataclass(frozen=True, slots=True)
class _Measured:
    """A board within the present scope."""

    board: CountedBoard
    is_slice: bool


class NvmlMeter:
    """Windows between the ticks of the boards' energy counters."""

    name: ClassVar[str] = "nvml"
    method: ClassVar[str] = "nvml-ticks-2"

    def __init__(
        self,
        *,
        nvml: Any = None,
        clock: Clock | None = None,
        verdicts: Verdicts | None = None,
        observer_s: float = 5.0,
        tick_search_s: float = 3.0,
        own_board: bool = False,
        **_: object,
    ) -> None:
        self._driver = Driver(nvml)
        self._clock = clock or MonotonicClock()
        self._preparation = Preparation(
            self._clock,
            verdicts or Verdicts(),
            observer_s=observer_s,
            tick_search_s=tick_search_s,
        )
        self._own_board = own_board
        self._known: dict[str, CountedBoard] = {}
        self._open: dict[str, _Measured] = {}
        self._is_steady = False

    @property
    def tick_s(self) -> float | None:
        """Return the longest tick of the boards that are open."""
        ticks = [m.board.tick_s or ASSUMED_TICK_S for m in self._open.values()]
        return max(ticks, default=None)

    def availability(self) -> Availability:
        """Say whether there is a driver and a board whose counter can be read."""
        try:
            self._driver.open()
            uuids = self._driver.uuids()
        except DriverFault as fault:
            return _unavailable(fault)
        if not uuids:
            return Availability(tier=Tier.NONE, sentence="the driver lists no GPU")
        faults = [counter_fault(self._driver, uuid) for uuid in uuids]
        readable = [u for u, fault in zip(uuids, faults, strict=True) if fault is None]
        if not readable:
            return _unavailable(next(fault for fault in faults if fault))
        handles = (self._driver.handle(uuid) for uuid in readable)
        names = ", ".join(str(self._driver.fact("nvmlDeviceGetName", h)) for h in handles)
        return Availability(tier=Tier.COUNTER, sentence=f"NVML counter of {names}")

    def open(self, scope: Scope) -> None:
        """Find the boards by UUID, and test and measure counters that are new to this session.

        Raises LemError (`meter`) for a GPU that the driver does not know.
        """
        self._is_steady = scope.is_steady
        if not scope.gpu_uuids:
            return
        try:
            self._driver.open()
            self._open = {
                board.uuid: _Measured(board, is_split(self._driver, uuid))
                for uuid in (known_as(self._driver, name) for name in scope.gpu_uuids)
                for board in [self._board(parent_of(self._driver, uuid))]
            }
        except DriverFault as fault:
            raise LemError(
                f"the GPUs {', '.join(scope.gpu_uuids)} cannot be measured: {fault}",
                kind=FailureKind.METER,
            ) from fault
        self._preparation.prepare(m.board for m in self._open.values())

    def begin(self) -> dict[str, Found]:
        """Wait for the ticks after which the work is to start; two, which show the power at rest.

        In a steady load a single one.
        """
        return self._edges()

    def end(self, edge: dict[str, Found], start_s: float, end_s: float) -> Sequence[Energy]:
        """Wait for the ticks after the work, and return the energy of each board."""
        last = self._edges()
        return [
            self._energy(measured, edge[uuid], last[uuid], start_s, end_s)
            for uuid, measured in self._open.items()
        ]

    def close(self) -> None:
        """Forget the boards. The session with the driver stays, so that counters run on."""
        self._open = {}

    def _board(self, uuid: str) -> CountedBoard:
        if uuid not in self._known:
            self._known[uuid] = CountedBoard.of(self._driver, uuid)
        return self._known[uuid]

    def _edges(self) -> dict[str, Found]:
        """Take edges of all boards, those that are polled last, where the work follows at once."""
        boards = [m.board for m in self._open.values()]
        count = 1 if self._is_steady else 2
        found = settle(
            {b.uuid: b.read_j for b in boards if not b.can_be_polled},
            self._clock,
            count=count,
            tick_s=ASSUMED_TICK_S,
        )
        polled = {b.uuid: b.read_j for b in boards if b.can_be_polled}
        return found | find_ticks(polled, self._clock, count=count)

    def _energy(
        self, measured: _Measured, first: Found, last: Found, start_s: float, end_s: float
    ) -> Energy:
        board = measured.board
        if fault := first.fault or last.fault:
            return unknown(Domain.GPU, board.uuid, Tier.COUNTER, fault.reason, str(fault))
        values_j = [edge.value_j for edge in (*first.edges, *last.edges)]
        if values_j != sorted(values_j):
            return unknown(Domain.GPU, board.uuid, Tier.COUNTER, Reason.COUNTER_RESET)
        if first.edges[-1].value_j == last.edges[-1].value_j:
            return unknown(Domain.GPU, board.uuid, Tier.COUNTER, Reason.COUNTER_STILL)
        if self._is_steady:
            joules = energy_in_load(
                first.edges[0], last.edges[0], start_s, end_s, limit_w=_limit_w(board)
            )
            code = None
        else:
            before = Stretch(*first.edges)
            joules = energy_between(
                before, Stretch(*last.edges), start_s, end_s, limit_w=_limit_w(board)
            )
            code = _implausible(joules, end_s - start_s, before.power_w, board.limit_w)
        return self._described(measured, joules, code)

    def _described(self, measured: _Measured, joules: Joules, code: Reason | None) -> Energy:
        board = measured.board
        flags = [] if board.can_be_polled else [Flag.POLLING_SENSITIVE]
        if measured.is_slice:
            flags += [Flag.WHOLE_BOARD] if self._own_board else []
            code = code or (None if self._own_board else Reason.MIG)
        return Energy(
            domain=Domain.GPU,
            device=board.uuid,
            tier=Tier.COUNTER,
            value_j=joules.value_j,
            u_random_j=joules.u_j,
            u_systematic_j=abs(joules.value_j) * RELATIVE_GAIN / sqrt(3),
            bound_j=joules.bound_j,
            code=code,
            flags=tuple(flags),
        )


def _limit_w(board: CountedBoard) -> float | None:
    return None if board.limit_w is None else board.limit_w * MOST_OF_LIMIT


def _implausible(
    joules: Joules, window_s: float, rest_w: float, limit_w: float | None
) -> Reason | None:
    """Return why a mean power cannot be true, its uncertainty granted."""
    granted_j = 2 * joules.u_j
    if limit_w is not None and joules.value_j - granted_j > MOST_OF_LIMIT * limit_w * window_s:
        return Reason.POWER_TOO_HIGH
    if joules.value_j + granted_j < LEAST_OF_REST * rest_w * window_s:
        return Reason.POWER_TOO_LOW
    return None


def _unavailable(fault: DriverFault) -> Availability:
    return Availability(tier=Tier.NONE, sentence=str(fault), code=fault.reason)
