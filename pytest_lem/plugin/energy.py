"""The fixture `energy`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import pytest

from pytest_lem.energy.panel import Edges
from pytest_lem.errors import LemError, config_error
from pytest_lem.measure.call import run_async, run_sync
from pytest_lem.measure.round import Measurement
from pytest_lem.plugin.calls import Meterage, now_s, synchronise
from pytest_lem.plugin.session import records_of, session_of
from pytest_lem.results.record import Record

P = ParamSpec("P")
R = TypeVar("R")


class Energy:
    """Measures callables, coroutines and stretches of a test. Several of each in one test.

    Each measurement makes a record. The first has the key of the test, later ones that key with
    `#2`, `#3` or `#` and the name of the window.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._session = session_of(item.config)
        self._meterage = Meterage(self._session, item)

    @property
    def records(self) -> list[Record]:
        """Return the records that this test has made so far."""
        return records_of(self._item)

    def __call__(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `fn` in rounds, repeated inside each window until it is long enough.

        Returns what `fn` returned last. With `--lem=off`, and where `--lem-resume` found it
        measured already, it is called once and not measured.
        """
        if self._session.is_off:
            return fn(*args, **kwargs)
        case = self._meterage.case(None, self._meterage.mark.unit)
        results = []
        for recording in self._meterage.repetitions(case):
            with recording as measurement:
                protocol = self._meterage.protocol(case, self._meterage.plan(), measurement)
                results.append(
                    run_sync(protocol, lambda: fn(*args, **kwargs), synchronise=synchronise)
                )
        return results[-1] if results else fn(*args, **kwargs)

    async def arun(
        self, coro_fn: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do the same with a coroutine function, in the running event loop."""
        if self._session.is_off:
            return await coro_fn(*args, **kwargs)
        case = self._meterage.case(None, self._meterage.mark.unit)
        results = []
        for recording in self._meterage.repetitions(case):
            with recording as measurement:
                protocol = self._meterage.protocol(case, self._meterage.plan(), measurement)
                results.append(
                    await run_async(
                        protocol, lambda: coro_fn(*args, **kwargs), synchronise=synchronise
                    )
                )
        return results[-1] if results else await coro_fn(*args, **kwargs)

    def window(
        self, name: str | None = None, *, work: float | None = None, unit: str | None = None
    ) -> Window:
        """Measure what stands in a `with` block, once.

        `work` is how many units are done in it, `unit` what they are called; the marker's values
        serve where they are left out. `work` can also be set on the window before it closes.
        """
        mark = self._meterage.mark
        return Window(self._meterage, name, mark.work if work is None else work, unit or mark.unit)


class Window:
    """A measured stretch of a test.

    Attributes:
        work: units of work done in it; may be set until it closes.
        record: the record, once the window is closed; None with `--lem=off`.

    """

    def __init__(
        self, meterage: Meterage, name: str | None, work: float | None, unit: str | None
    ) -> None:
        self.work = work
        self._check_work()
        self.record: Record | None = None
        self._meterage = meterage
        self._name = name
        self._unit = unit
        self._recording: AbstractContextManager[Measurement] | None = None
        self._measurement = Measurement()
        self._edges: Edges | None = None
        self._start_s = 0.0

    @property
    def energy_j(self) -> float | None:
        """Return the joules of the window; None when unknown, or while it is open."""
        return self.record.metrics["energy_per_call_j"].value if self.record else None

    def __enter__(self) -> Self:
        meterage = self._meterage
        if not meterage.session.is_off:
            case = meterage.case(self._name, self._unit)
            if meterage.is_resumed(case):
                self.record = meterage.last_record
                return self
            recording = meterage.recorded(case)
            self._measurement = recording.__enter__()
            self._recording = recording
            self._edges = meterage.begin()
            self._start_s = now_s()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._recording is None or self._edges is None:
            return
        end_s = now_s()
        round_, flags = self._meterage.end(self._edges, self._start_s, end_s, self.work)
        if error is None:
            try:
                self._check_work()
            except LemError as mistake:
                self._recording.__exit__(type(mistake), mistake, mistake.__traceback__)
                raise
            self._measurement.rounds = [round_]
            self._measurement.flags |= flags
        self._recording.__exit__(kind, error, traceback)
        self.record = self._meterage.last_record if error is None else None

    def _check_work(self) -> None:
        if self.work is not None and self.work <= 0:
            raise config_error(f"`work` of a window is above 0, not {self.work!r}")
