"""The fixture `inference`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.case import Case
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.preflight.machine import read_machine
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement
from pytest_lem.plugin.failure import explained, failure_of
from pytest_lem.plugin.items import contest_in
from pytest_lem.plugin.logs import LOGS, Log
from pytest_lem.plugin.outputs import outputs_of
from pytest_lem.plugin.planning import Planned, layers_for, plan, unplanned_case
from pytest_lem.plugin.result import InferenceResult
from pytest_lem.plugin.resuming import failure_in, resume_key
from pytest_lem.plugin.session import session_of
from pytest_lem.results.build import build_record
from pytest_lem.results.record import Record
from pytest_lem.workloads.workload import Workload

if TYPE_CHECKING:
    from pytest_lem.config.contest import Contest


class Inference:
    """Measures a language model in its host process."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._session = session_of(item.config)

    def __call__(
        self,
        *,
        backend: str | None = None,
        model: str | None = None,
        precision: str | None = None,
        batch_size: int | None = None,
        workload: Workload | Mapping[str, Any] | None = None,
        traffic: Mapping[str, Any] | None = None,
        slo: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        measure: Mapping[str, Any] | None = None,
    ) -> InferenceResult:
        """Measure one case and return what was found.

        What is not given comes from the test's own parameters of that name, then from the
        marker, the command line, the environment, the ini file, the configuration file and the
        preset. `options` are the backend's own settings, `measure` those of `measure.*`. With
        `traffic`, settings of `traffic.*`, requests arrive over time instead of in batches; `slo`
        are the limits on their latency.
        Raises LemError with a `kind` when the case cannot be measured; the record of the
        failure is kept.
        """
        arguments = {
            "backend": backend,
            "model": model,
            "precision": precision,
            "batch_size": batch_size,
            "workload": workload,
            "traffic": traffic,
            "slo": slo,
            "options": options,
            "measure": measure,
        }
        contest = None if self._session.is_off else contest_in(self._item)
        if contest:
            return InferenceResult(self._compared(contest, arguments))
        planned = self._planned(arguments)
        record = self._resumed(planned) or self._measured(planned)
        judging = self._session.judging
        if judging and judging.look(self._item, record):
            judging.confirm(self._item, self._measured_again(planned))
        return InferenceResult(record)

    def _compared(self, contest: Contest, arguments: Mapping[str, Any]) -> Record:
        """Measure two sides by turns; return the record of side B."""
        from pytest_lem.plugin.pairing import Pairing

        try:
            pairing = Pairing(self._item, contest, arguments)
        except Exception as error:
            self._keep_failure(unplanned_case(self._item, arguments), error)
            raise
        return pairing.measure()

    def _resumed(self, planned: Planned) -> Record | None:
        """Return what an earlier run has found; a failure in it fails this test as well."""
        record = self._session.resumed(self._item, self._resume_key(planned))
        if record and (error := failure_in(record)):
            raise error
        return record

    def _resume_key(self, planned: Planned) -> str:
        boards = planned.plan.gpu_uuids
        return resume_key(self._session, self._item, planned.case, planned.resolved, boards)

    def _measured_again(self, planned: Planned) -> Record:
        """Measure a second time with another host, rested as before a test."""
        self._session.pool.close()
        self._session.rest(self._item)
        return self._measured(planned, repetition=2)

    def _planned(self, arguments: Mapping[str, Any]) -> Planned:
        try:
            return plan(self._session, layers_for(self._session, self._item, arguments))
        except Exception as error:
            self._keep_failure(unplanned_case(self._item, arguments), error)
            raise

    def _measured(self, planned: Planned, *, repetition: int = 1) -> Record:
        session, plan = self._session, planned.plan
        resident = None if plan.is_cold else session.pool.resident(plan.spec)
        # What a resident host has printed already belongs to the tests before this one.
        start = resident.host.log_path.stat().st_size if resident else 0
        rests = Rests(plan.method, session.panel, session.clock, planned.case.key)
        run = InferRun(
            plan,
            session.pool,
            session.panel,
            rests,
            look=None if session.is_off else read_machine,
            leftover=session.leftover,
        )
        error: BaseException | None = None
        try:
            session.prepare_to_write()
            run.measure()
        except BaseException as caught:
            error = explained(caught)
            if error is caught:
                raise
            raise error from None
        finally:
            session.take_rest(self._item, run.measurement)
            record = self._record(planned, run.measurement, error, repetition)
            if (load_id := run.measurement.load_id) is not None:
                record.artifacts = self._keep_log(load_id, start, record)
            if not session.is_off:
                session.keep(self._item, record)
        return record

    def _record(
        self,
        planned: Planned,
        measurement: Measurement,
        error: BaseException | None,
        repetition: int,
    ) -> Record:
        context = self._session.context(self._item, planned.resolved, measurement)
        is_compared = planned.resolved.settings.quality.agreement is not None
        return build_record(
            planned.case,
            measurement,
            replace(
                context,
                prompt=planned.plan.workload.prompts[0],
                outputs=outputs_of(planned.plan, measurement) if is_compared else None,
                repetition=repetition,
                resume_key=None if self._session.is_off else self._resume_key(planned),
            ),
            failure=failure_of(error) if error else None,
        )

    def _keep_log(self, load_id: str, start: int, record: Record) -> dict[str, str]:
        """Give the case a log file of its own, and the test a view of it."""
        log = Log(self._session.pool.log_path(load_id), start)
        self._item.stash.setdefault(LOGS, []).append(log)
        parts = (record.case.digest[:12], record.attempt, record.cycle, record.repetition)
        name = "-".join(str(part) for part in parts if part is not None)
        return log.keep(log.path.with_name(f"{name}.log"))

    def _keep_failure(self, case: Case, error: Exception) -> None:
        session = self._session
        if not session.is_off:
            measurement = Measurement()
            session.take_rest(self._item, measurement)
            context = session.context(self._item, session.base, measurement)
            record = build_record(case, measurement, context, failure=failure_of(error))
            session.keep(self._item, record)
