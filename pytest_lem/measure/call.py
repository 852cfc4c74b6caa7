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
from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag
from pytest_lem.measure.round import Measurement, Round, Work, flags_of, silent_meters
from pytest_lem.measure.warmup import WarmUp

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
        is_repeatable: False for work that runs once per round and without warm-up, such as the
            body of a test, unless a `min_window_s` asks for more.

    """

    rounds: int
    min_window_s: float
    warmup_cv: float
    warmup_max_s: float
    work_per_call: float | None = None
    is_repeatable: bool = True


def protocol(
    plan: CallPlan, panel: Panel, scope: Callable[[], Scope], measurement: Measurement
) -> Protocol:
    """Yield numbers of calls and take the stamps around them, filling `measurement`.

    The meters are opened for `scope` after the warm-up, since the work may take a GPU only then.
    What was measured before a failure stays in `measurement`.
    """
    repetitions = 1
    if plan.is_repeatable or plan.min_window_s > 0:
        repetitions = yield from _warm_up(plan, measurement)
    panel.open(scope())
    for seq in range(plan.rounds):
        edges = panel.begin()
        start_s, end_s = yield repetitions
        energies = panel.end(edges, start_s, end_s)
        measurement.rounds.append(
            Round(
                seq=seq,
                start_s=start_s,
                end_s=end_s,
                energies=energies,
                work=work_of(repetitions, plan.work_per_call),
                reasons=silent_meters(energies),
            )
        )
    measurement.flags |= flags_of(
        measurement.rounds, has_estimate_only=panel.tier is Tier.ESTIMATED
    )


def work_of(calls: int, work_per_call: float | None) -> Work:
    """Return the work of a number of calls."""
    units = None if work_per_call is None else calls * work_per_call
    return Work(calls=calls, units=units)


def _warm_up(plan: CallPlan, measurement: Measurement) -> Generator[int, Stamps, int]:
    warm_up = WarmUp(cv=plan.warmup_cv, max_s=plan.warmup_max_s)
    group = 1
    while not warm_up.is_over:
        start_s, end_s = yield group
        duration_s = end_s - start_s
        if duration_s < _RESOLVED_S and group < _LARGEST_GROUP:
            group *= 10
            continue
        # Groups grow to 20 ms only, so their sum still stands for the time spent.
        warm_up.add(duration_s)
    if not warm_up.is_steady and plan.warmup_max_s > 0:
        measurement.flags.add(Flag.UNSTEADY)
    return warm_up.repetitions_for(plan.min_window_s) * group


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
