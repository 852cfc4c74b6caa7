"""Measuring the two sides of a test by turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.config.contest import Contest
from pytest_lem.errors import config_error
from pytest_lem.gate.stage import Stage, Window
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.pair import PairPlan, PairRun
from pytest_lem.measure.preflight.machine import read_machine
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement, Round
from pytest_lem.measure.schedule import A, B
from pytest_lem.plugin.failure import explained, failure_of
from pytest_lem.plugin.logs import LOGS, Log
from pytest_lem.plugin.outputs import outputs_of
from pytest_lem.plugin.pairjudging import Measured
from pytest_lem.plugin.planning import Planned, layers_for, plan
from pytest_lem.plugin.session import LemSession, session_of
from pytest_lem.results.build import build_record
from pytest_lem.results.entry import figures_of
from pytest_lem.results.metrics import metrics_of
from pytest_lem.results.record import Record


class Pairing:
    """One test, both sides of a contest."""

    def __init__(self, item: pytest.Item, contest: Contest, arguments: Mapping[str, Any]) -> None:
        self._item = item
        self._session = session_of(item.config)
        self._planned = {
            A: _planned(self._session, item, arguments, contest),
            B: _planned(self._session, item, arguments, contest.b),
        }
        self._check(contest)
        self._pools = {side: self._session.side_pool(side) for side in (A, B)}

    def measure(self) -> Record:
        """Measure, judge, measure again what was flagged; return the record of side B.

        Raises LemError as a measurement of one side does; what was measured before it is kept.
        """
        session, settings = self._session, self._planned[A].resolved.settings.pair
        run = PairRun(
            PairPlan(loads=settings.loads, is_together=self._is_together), self._run, self._end
        )
        error: BaseException | None = None
        try:
            session.prepare_to_write()
            session.pool.close()
            self._judged(run, settings.pairs)
        except BaseException as caught:
            error = explained(caught)
            if error is caught:
                raise
            raise error from None
        finally:
            session.take_rest(self._item, run.measurements[A])
            records = self._records(run, error)
            for side, record in records.items():
                record.artifacts = self._keep_logs(side, record, run.load_ids[side])
                session.keep(self._item, record)
        return records[B]

    def _judged(self, run: PairRun, pairs: int) -> None:
        judging = self._session.pair_judging
        assert judging  # noqa: S101 - made with the session
        stage = self._stage(run, 1, pairs)
        found = judging.judge(self._item, *self._sides(run), stage)
        if further := judging.further_pairs(found, pairs):
            stage = self._stage(run, 2, further)
            judging.confirm(self._item, *self._sides(run), stage)

    def _sides(self, run: PairRun) -> tuple[Measured, Measured]:
        """Return both sides with all that was measured so far."""
        records = self._records(run, None)
        a, b = (
            Measured(records[side], outputs_of(self._planned[side].plan, run.measurements[side]))
            for side in (A, B)
        )
        return a, b

    def _stage(self, run: PairRun, number: int, pairs: int) -> Stage:
        groups = run.measure(number, pairs)
        return [
            [(_figures(a, run.measurements[A]), _figures(b, run.measurements[B])) for a, b in group]
            for group in groups
        ]

    @property
    def _is_together(self) -> bool:
        """Tell whether both sides stay loaded: on a GPU only where that was asked for."""
        asked = self._planned[A].resolved.settings.pair.together
        if asked is not None:
            return asked
        return not any(planned.plan.gpu_uuids for planned in self._planned.values())

    def _run(self, side: str) -> InferRun:
        session, planned = self._session, self._planned[side]
        rests = Rests(planned.plan.method, session.panel, session.clock, planned.case.key)
        pool = self._pools[side]
        return InferRun(planned.plan, pool, session.panel, rests, look=read_machine)

    def _end(self, side: str) -> None:
        self._pools[side].close()

    def _records(self, run: PairRun, error: BaseException | None) -> dict[str, Record]:
        return {side: self._record(side, found, error) for side, found in run.measurements.items()}

    def _record(self, side: str, measurement: Measurement, error: BaseException | None) -> Record:
        planned = self._planned[side]
        context = self._session.context(self._item, planned.resolved, measurement)
        return build_record(
            planned.case,
            measurement,
            replace(context, prompt=planned.plan.workload.prompts[0]),
            failure=failure_of(error) if error else None,
        )

    def _keep_logs(self, side: str, record: Record, load_ids: Sequence[str]) -> dict[str, str]:
        """Give each load a log file of its own, and the test a view of it."""
        kept: dict[str, str] = {}
        for load_id in load_ids:
            log = Log(self._pools[side].log_path(load_id), 0)
            self._item.stash.setdefault(LOGS, []).append(log)
            parts = (record.case.digest[:12], record.attempt, record.cycle, load_id)
            name = "-".join(str(part) for part in parts if part is not None)
            kept |= log.keep(log.path.with_name(f"{name}.log"))
        return kept

    def _check(self, contest: Contest) -> None:
        """Raise LemError where the test itself fixes what is compared."""
        if self._planned[A].case.digest == self._planned[B].case.digest:
            raise config_error(
                f"--lem-ab {contest.name} makes no difference to this test, which sets it itself "
                "or does not use it; take it out of the call of `inference`"
            )


def _planned(
    session: LemSession, item: pytest.Item, arguments: Mapping[str, Any], side: Any
) -> Planned:
    return plan(session, layers_for(session, item, arguments, side))


def _figures(found: Round, measurement: Measurement) -> Window:
    """Return the figures of one window, as far as it has them."""
    alone = Measurement(rounds=[found], applied=measurement.applied)
    metrics = metrics_of(alone)
    values = {name: metrics[name].value for name in figures_of("infer")}
    return {name: value for name, value in values.items() if value is not None}
