"""Measuring in the test's own process: what the fixture `energy` and the marker share."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from pytest_lem.case import Case, call_case
from pytest_lem.energy.panel import Edges
from pytest_lem.errors import config_error
from pytest_lem.flags import Flag
from pytest_lem.measure.call import CallPlan, Protocol, protocol, work_of
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement, Round, flags_of, round_of
from pytest_lem.plugin.failure import failure_of
from pytest_lem.plugin.items import call_key, source_sha256
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.resuming import failure_in, resume_key
from pytest_lem.plugin.scope import cuda_devices
from pytest_lem.plugin.session import LemSession, records_of
from pytest_lem.results.build import build_record
from pytest_lem.results.record import Record


class Meterage:
    """Measures calls and stretches of one test, and keeps a record of each."""

    def __init__(self, session: LemSession, item: pytest.Item) -> None:
        self.session = session
        self.item = item
        self.mark = mark_of(item)
        self._names: list[str] = []
        self._is_open = False

    def case(self, name: str | None, unit: str | None) -> Case:
        """Return the case of the next measurement: the first of a test has the test's key."""
        base = call_key(self.item)
        if name is not None:
            label = f"{base}#{name}"
        else:
            count = len(self._names)
            label = base if count == 0 else f"{base}#{count + 1}"
        if label in self._names:
            raise config_error(f"two windows of this test are called {label}; rename one of them")
        self._names.append(label)
        return call_case(label, unit=unit)

    def plan(self, *, is_body: bool = False) -> CallPlan:
        """Return how to measure; the marker comes before the settings, a body runs once."""
        method = self.session.method(self.session.base)
        mark = self.mark
        window_s = mark.min_window
        if window_s is None:
            window_s = 0.0 if is_body else method.min_window_s
        return CallPlan(
            method=replace(
                method,
                rounds=mark.rounds or (1 if is_body else method.rounds),
                min_window_s=window_s,
            ),
            work_per_call=mark.work,
            is_repeatable=not is_body,
        )

    def protocol(self, case: Case, plan: CallPlan, measurement: Measurement) -> Protocol:
        """Return the protocol of `plan` for this process, which fills `measurement`."""
        session = self.session
        rests = Rests(plan.method, session.panel, session.clock, case.key)
        return protocol(plan, session.panel, session.own_scope, rests, measurement)

    def keep(
        self,
        case: Case,
        measurement: Measurement,
        error: BaseException | None = None,
        *,
        repetition: int = 1,
    ) -> Record:
        """Make the record and put it with the test."""
        self.session.take_rest(self.item, measurement)
        uuids = list(self.session.own_scope().gpu_uuids)
        if uuids:
            measurement.applied |= {"device": "cuda", "device_uuids": uuids}
        context = self.session.context(self.item, self.session.base, measurement)
        own = {"rounds": self.mark.rounds, "min_window_s": self.mark.min_window}
        marked = {name: value for name, value in own.items() if value is not None}
        measure = {**context.requested["measure"], **marked}
        context = replace(
            context,
            requested={**context.requested, "measure": measure},
            origins=context.origins | {f"measure.{name}": "marker" for name in marked},
            source_sha256=source_sha256(self.item),
            resume_key=self._resume_key(case),
            repetition=repetition,
        )
        record = build_record(
            case, measurement, context, failure=failure_of(error) if error else None
        )
        self.session.keep(self.item, record)
        return record

    @contextmanager
    def recorded(self, case: Case, *, repetition: int = 1) -> Iterator[Measurement]:
        """Keep a record of what happens inside, also when it fails, but not when it skips."""
        measurement = Measurement()
        self._take_meters()
        try:
            with _recorded_warnings(measurement):
                yield measurement
        except pytest.skip.Exception:
            raise
        except BaseException as error:
            self.keep(case, measurement, error, repetition=repetition)
            raise
        finally:
            self._release_meters()
        self.keep(case, measurement, repetition=repetition)

    def is_resumed(self, case: Case) -> bool:
        """Tell whether an earlier run has measured the case; then its record is kept here.

        A failure in it fails this test as well.
        """
        record = self.session.resumed(self.item, self._resume_key(case))
        if record and (error := failure_in(record)):
            raise error
        return record is not None

    def _resume_key(self, case: Case) -> str:
        boards = tuple(self.session.own_scope().gpu_uuids)
        return resume_key(self.session, self.item, case, self.session.base, boards)

    def repetitions(self, case: Case) -> Iterator[AbstractContextManager[Measurement]]:
        """Yield a recording of the case, and another one where the gate wants it confirmed.

        The first is left out where an earlier run has it.
        """
        if not self.is_resumed(case):
            yield self.recorded(case)
        judging = self.session.judging
        if judging and judging.look(self.item, self.last_record):
            self.session.rest(self.item)
            yield self.recorded(case, repetition=2)
            judging.confirm(self.item, self.last_record)

    @property
    def last_record(self) -> Record:
        """Return the record that was kept last."""
        return records_of(self.item)[-1]

    def begin(self) -> Edges:
        """Open the meters for this process and read the first edge of a window."""
        self.session.panel.open(self.session.own_scope())
        synchronise()
        return self.session.panel.begin()

    def end(
        self, edges: Edges, start_s: float, end_s: float, work: float | None
    ) -> tuple[Round, frozenset[Flag]]:
        """Close a window that was opened by `begin`."""
        panel = self.session.panel
        reading = panel.end(edges, start_s, end_s)
        found = round_of(0, start_s, end_s, reading, work_of(1, work))
        return found, reading.flags | flags_of([found], panel)

    def _take_meters(self) -> None:
        """Reserve the meters, which read one window at a time."""
        if self._is_open:
            raise config_error(
                "a window is still open in this test, and the meters read one at a time; "
                "close it before the next measurement"
            )
        self._is_open = True

    def _release_meters(self) -> None:
        self._is_open = False
        self.session.panel.close()


def synchronise() -> None:
    """Wait for every CUDA device in use; nothing happens where CUDA is not initialised."""
    for index, _ in cuda_devices():
        sys.modules["torch"].cuda.synchronize(index)


def now_s() -> float:
    """Return the monotonic clock once all devices have finished."""
    synchronise()
    return time.monotonic()


@contextmanager
def _recorded_warnings(measurement: Measurement) -> Iterator[None]:
    """Note each distinct warning and pass it on once, however often the work was repeated."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as log:
            caught = log
            yield
    finally:
        places = {(w.category, str(w.message), w.filename, w.lineno): w for w in caught}
        for warned in places.values():
            measurement.warnings.append(
                {"category": warned.category.__name__, "message": str(warned.message)}
            )
            warnings.warn_explicit(warned.message, warned.category, warned.filename, warned.lineno)
