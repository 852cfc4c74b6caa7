"""Measuring two sides by turns, each in a host of its own, over several loads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pytest_lem.energy.estimated import cpu_seconds
from pytest_lem.flags import Flag
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.round import Measurement, Round
from pytest_lem.measure.schedule import A, B, Segment, Turn, group_of, schedule

#: Share of one CPU that an idle host may use while the other one is measured.
_QUIET = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """How two sides take turns.

    Attributes:
        loads: how often each side is loaded, in each stage.
        is_together: whether both stay loaded, or one at a time.

    """

    loads: int
    is_together: bool


class PairRun:
    """Two sides in one job.

    `measurements` hold what was found about each side, over all of its loads; they fill as it goes,
    so that a failure leaves behind what was found before it. `load_ids` are all of these loads, one
    that failed among them. `make` begins the run of a side, on hosts that only that side has, and
    `end` ends its host.
    """

    def __init__(
        self, plan: PairPlan, make: Callable[[str], InferRun], end: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._make = make
        self._end = end
        self.measurements = {A: Measurement(), B: Measurement()}
        self.load_ids: dict[str, list[str]] = {A: [], B: []}

    def measure(self, stage: int, pairs: int) -> list[list[tuple[Round, Round]]]:
        """Return the pairs of a stage, by the loads that they ran on; every load is a fresh one.

        Raises LemError as `InferRun.ready` does.
        """
        plan, found = self._plan, dict[Turn, Round]()
        for segment in schedule(pairs, plan.loads, is_together=plan.is_together):
            found |= self._measured(segment, stage)
        groups: list[list[tuple[Round, Round]]] = [[] for _ in range(plan.loads)]
        for pair in range(pairs):
            both = found[Turn(A, pair)], found[Turn(B, pair)]
            groups[group_of(pair, pairs, plan.loads)].append(both)
        return groups

    def _measured(self, segment: Segment, stage: int) -> dict[Turn, Round]:
        with ExitStack() as stack:
            runs = {side: stack.enter_context(self._loaded(side)) for side in segment.loads}
            return {turn: self._take(runs, turn, stage) for turn in segment.turns}

    @contextmanager
    def _loaded(self, side: str) -> Iterator[InferRun]:
        """Have a side loaded anew and ready for its windows."""
        self._end(side)
        run = self._make(side)
        try:
            with run.ready():
                yield run
        finally:
            self._end(side)
            self.measurements[side].absorb(run.measurement)
            if load_id := run.measurement.load_id:
                self.load_ids[side].append(load_id)

    def _take(self, runs: dict[str, InferRun], turn: Turn, stage: int) -> Round:
        """Measure a window while the other side, if it is loaded, rests."""
        run = runs[turn.side]
        others = [other.pid for side, other in runs.items() if side != turn.side]
        before_s = cpu_seconds(others)
        seq = len(self.measurements[turn.side].rounds) + len(run.measurement.rounds)
        found = run.take_round(seq, side=turn.side, pair=turn.pair, stage=stage)
        if cpu_seconds(others) - before_s > _QUIET * max(found.window_s, 1.0):
            run.measurement.flags.add(Flag.OTHER_SIDE_BUSY)
        return found
