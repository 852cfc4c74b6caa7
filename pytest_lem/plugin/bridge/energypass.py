"""The pass that measures energy, after pytest-benchmark has its timings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.case import Case
from pytest_lem.errors import LemError
from pytest_lem.measure.call import protocol, run_sync
from pytest_lem.measure.round import Measurement
from pytest_lem.plugin.bridge.figures import KEY, figures_of
from pytest_lem.plugin.bridge.target import Target
from pytest_lem.plugin.bridge.turns import Turns
from pytest_lem.plugin.calls import Meterage, synchronise
from pytest_lem.plugin.rundir import run_directory
from pytest_lem.plugin.session import LemSession, records_of

_NOTE = (
    "This was raised in the energy pass of pytest-lem, which calls the target again once "
    "pytest-benchmark is done with it. What can be called once only has to be set up for each "
    "call: benchmark.pedantic(target, setup=...)."
)


class EnergyPass:
    """Measures what one test gives to pytest-benchmark."""

    def __init__(self, session: LemSession, item: pytest.Item) -> None:
        self._session = session
        self._item = item
        self._meterage = Meterage(session, item)

    def measure(self, target: Target, extra_info: dict[str, Any]) -> None:
        """Keep a record of calls of the target, and put its figures into `extra_info`."""
        case = self._meterage.case(None, self._meterage.mark.unit)
        try:
            for recording in self._meterage.repetitions(case):
                with recording as measurement, _untraced():
                    self._run(case, target, measurement)
        except Exception as error:
            if not isinstance(error, LemError):
                error.add_note(_NOTE)
            raise
        finally:
            self._tell(case, extra_info)

    def _run(self, case: Case, target: Target, measurement: Measurement) -> None:
        plan = self._meterage.plan()
        if target.is_repeatable:
            calls = self._meterage.protocol(case, plan, measurement)
            run_sync(calls, target.call, synchronise=synchronise)
            return
        method = replace(plan.method, min_window_s=0.0)
        plan = replace(plan, method=method, is_repeatable=False)
        session = self._session
        turns = Turns(method, session.panel, session.clock, case.key, target)
        calls = protocol(plan, session.panel, session.own_scope, turns, measurement)
        run_sync(calls, turns.call, synchronise=synchronise)
        turns.tear_down()

    def _tell(self, case: Case, extra_info: dict[str, Any]) -> None:
        """Write down the first measurement; a second one only confirms what the gate flagged."""
        of_case = (r for r in records_of(self._item) if r.case.digest == case.digest)
        if record := next(of_case, None):
            extra_info[KEY] = figures_of(record, run_directory(self._item.config).name)


@contextmanager
def _untraced() -> Iterator[None]:
    """Pause tracers and profilers, such as those of coverage, as pytest-benchmark does."""
    tracer, profiler = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        sys.setprofile(profiler)
