"""Measuring a Python callable.

The protocol is a generator, so that one text of it serves plain functions and coroutines: it
yields how many calls to make and is sent the time stamps taken around them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.flags import Flag
from pytest_lem.measure.idle import idle_flags
from pytest_lem.measure.method import Method
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement, Work, flags_of, round_of
from pytest_lem.measure.warmup import Bin, WarmUp

R = TypeVar("R")

#: Calls shorter than this are timed in groups during the warm-up, as timers are calibrated.
_RESOLVED_S = 0.02
#: Even a call that takes no measurable time is not grouped beyond this.
_LARGEST_GROUP = 10**9

Stamps = tuple[float, float]
Protocol = Generator[int, Stamps, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """How to measure a callable.

    Attributes:
        work_per_call: units of work in one call, or None if the caller did not say.
        is_repeatable: False for work that runs once per round, without warm-up and without idle
            phases, such as the body of a test, unless a `min_window_s` asks for more.

    """

    method: Method
    work_per_call: float | None = None
    is_repeatable: bool = True


def protocol(
    plan: CallPlan,
    panel: Panel,
    scope: Callable[[], Scope],
    rests: Rests,
    measurement: Measurement,
) -> Protocol:
    """Yield numbers of calls and take the stamps around them, filling `measurement`.

    The meters are opened for `scope` after the warm-up, since the work may take a GPU only then.
    What was measured before a failure stays in `measurement`.
    """
    repetitions = 1
    if plan.is_repeatable or plan.method.min_window_s > 0:
        repetitions = yield from _warm_up(plan.method, measurement)
    panel.open(scope())
    if plan.is_repeatable:
        rests.idle(measurement)
    for seq in range(plan.method.rounds):
        rests.before_round()
        edges = panel.begin()
        start_s, end_s = yield repetitions
        reading = panel.end(edges, start_s, end_s)
        work = work_of(repetitions, plan.work_per_call)
        measurement.add(round_of(seq, start_s, end_s, reading, work), reading)
    if plan.is_repeatable:
        rests.idle(measurement)
    measurement.flags |= flags_of(measurement.rounds, panel)
    measurement.flags |= idle_flags(measurement.rounds, measurement.phases)


def work_of(calls: int, work_per_call: float | None) -> Work:
    """Return the work of a number of calls."""
    units = None if work_per_call is None else calls * work_per_call
    return Work(calls=calls, units=units)


def _warm_up(method: Method, measurement: Measurement) -> Generator[int, Stamps, int]:
    """Judge by time: which device works is known only once the work has run."""
    warm_up = WarmUp(cv=method.warmup_cv, max_s=method.warmup_max_s)
    group = 1
    while not warm_up.is_over:
        start_s, end_s = yield group
        if end_s - start_s < _RESOLVED_S and group < _LARGEST_GROUP:
            group *= 10
            continue
        # Groups grow to 20 ms only, so their sum still stands for the time spent.
        warm_up.add(Bin(start_s=start_s, end_s=end_s, repetitions=group))
    if not warm_up.is_steady and method.warmup_max_s > 0:
        measurement.flags.add(Flag.UNSTEADY)
    return max(group, warm_up.repetitions_for(method.min_window_s))


def run_sync(protocol: Protocol, call: Callable[[], R], *, synchronise: Callable[[], None]) -> R:
    """Drive the protocol with a function and return its last result."""
    calls = next(protocol)
    while True:
        synchronise()
        start_s = time.monotonic()
        for _ in range(calls):
            result = call()
        synchronise()
        try:
            calls = protocol.send((start_s, time.monotonic()))
        except StopIteration:
            return result


async def run_async(
    protocol: Protocol, call: Callable[[], Awaitable[R]], *, synchronise: Callable[[], None]
) -> R:
    """Drive the protocol with a coroutine function, in the running loop."""
    calls = next(protocol)
    while True:
        synchronise()
        start_s = time.monotonic()
        for _ in range(calls):
            result = await call()
        synchronise()
        try:
            calls = protocol.send((start_s, time.monotonic()))
        except StopIteration:
            return result
