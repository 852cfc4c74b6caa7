"""Measuring a callable: the protocol under a clock set by hand, and the two ways to drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lem.clock import MonotonicClock
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Tier
from pytest_lem.measure.call import CallPlan, protocol, run_async, run_sync, work_of
from pytest_lem.measure.method import Method
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement

deterministic = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _plan(
    *, work_per_call: float | None = None, is_repeatable: bool = True, **changes: Any
) -> CallPlan:
    fields = {"rounds": 3, "min_window_s": 0.0, "warmup_cv": 0.01, "warmup_max_s": 60.0}
    return CallPlan(
        method=Method(**{**fields, **changes}),
        work_per_call=work_per_call,
        is_repeatable=is_repeatable,
    )


def _protocol(plan: CallPlan, panel: Any, measurement: Measurement, scope: Any = None) -> Any:
    rests = Rests(plan.method, panel, MonotonicClock(), "case")
    return protocol(plan, panel, scope or _scope, rests, measurement)


def _scope() -> Scope:
    return Scope(pids=(7,))


def _drive(
    plan: CallPlan, panel: Any, *, seconds_per_call: Callable[[int], float] = lambda _: 1.0
) -> tuple[Measurement, list[int]]:
    """Play the work on a clock of our own; return the measurement and the calls in each step."""
    steps: list[int] = []
    now_s = 100.0
    measurement = Measurement()
    running = _protocol(plan, panel, measurement)
    calls = next(running)
    with suppress(StopIteration):
        while True:
            steps.append(calls)
            end_s = now_s + calls * seconds_per_call(len(steps))
            stamps, now_s = (now_s, end_s), end_s + 1
            calls = running.send(stamps)
    return measurement, steps


@deterministic
@given(seconds=st.floats(1e-6, 20), min_window_s=st.floats(0, 30), rounds=st.integers(1, 5))
def test_there_are_as_many_rounds_as_planned_each_long_enough(
    metered: Any, seconds: float, min_window_s: float, rounds: int
) -> None:
    """Whatever a call takes, every window reaches its length, and its calls are counted."""
    panel, _ = metered()
    plan = _plan(rounds=rounds, min_window_s=min_window_s)
    found, steps = _drive(plan, panel, seconds_per_call=lambda _: seconds)
    assert [r.seq for r in found.rounds] == list(range(rounds))
    assert all(r.window_s >= min_window_s - 1e-9 for r in found.rounds)
    assert [r.work.calls for r in found.rounds] == steps[-rounds:]


def test_short_calls_are_timed_in_groups() -> None:
    """A call below the clock's resolution is grouped by tens until a group takes 20 ms."""
    _, steps = _drive(
        _plan(rounds=1, min_window_s=0), Panel([], {}), seconds_per_call=lambda _: 1e-4
    )
    assert steps == [1, 10, 100, 1000, 1000, 1000, 1000, 1000, 1000]


def test_the_warm_up_is_not_metered(metered: Any) -> None:
    """The meters are opened after the warm-up, and read around each round."""
    panel, meter = metered()
    _drive(_plan(rounds=2), panel)
    assert meter.events == ["close", "open 7", "begin", "end", "begin", "end"]


def test_the_scope_is_asked_for_after_the_warm_up(metered: Any) -> None:
    """Work may take a GPU only while it warms up."""
    asked: list[str] = []
    running = _protocol(
        _plan(), metered()[0], Measurement(), lambda: asked.append("scope") or _scope()
    )
    next(running)
    for _ in range(4):
        running.send((0.0, 1.0))
    assert asked == []
    running.send((0.0, 1.0))
    assert asked == ["scope"]


def test_a_body_runs_once_per_round_without_warm_up(metered: Any) -> None:
    """Work that may not be repeated is called exactly as often as there are rounds."""
    found, steps = _drive(_plan(rounds=1, is_repeatable=False), metered()[0])
    assert steps == [1]
    assert "unsteady" not in found.flags


def test_a_body_with_a_window_is_repeated_to_fill_it(metered: Any) -> None:
    """Who asks for a window of a length accepts that the body runs more than once."""
    found, steps = _drive(
        _plan(rounds=1, is_repeatable=False, min_window_s=3.0, warmup_max_s=0), metered()[0]
    )
    assert steps == [1, 4]
    assert found.rounds[0].window_s == 4.0


@pytest.mark.parametrize(("work_per_call", "units"), [(None, None), (64, 256), (0.5, 2.0)], ids=str)
def test_units_are_counted_only_if_the_work_is_known(
    work_per_call: float | None, units: float | None
) -> None:
    """Units of work are those of one call times the calls, and unknown without a statement."""
    work = work_of(4, work_per_call)
    assert (work.calls, work.units, work.output_tokens) == (4, units, None)


def test_stated_work_reaches_every_round(metered: Any) -> None:
    """The units of a round follow its own number of calls."""
    found, _ = _drive(_plan(work_per_call=10, min_window_s=2), metered()[0])
    assert [(r.work.calls, r.work.units) for r in found.rounds] == [(3, 30)] * 3


def test_unsteady_work_is_flagged(metered: Any) -> None:
    """A warm-up that ran out of time is said so, one that was not wanted is not."""
    jumping = {"seconds_per_call": lambda step: 1.0 + step % 2}
    assert "unsteady" in _drive(_plan(warmup_max_s=20), metered()[0], **jumping)[0].flags
    assert "unsteady" not in _drive(_plan(warmup_max_s=0), metered()[0], **jumping)[0].flags
    assert "unsteady" not in _drive(_plan(), metered()[0])[0].flags


@pytest.mark.parametrize(
    ("rounds", "seconds", "tier", "flags"),
    [
        (3, 5.0, Tier.COUNTER, set()),
        (1, 5.0, Tier.COUNTER, {"single_round"}),
        (3, 0.5, Tier.COUNTER, {"short_window"}),
        (3, 1.0, Tier.COUNTER, {"brief_window"}),
        (3, 1.0, Tier.ESTIMATED, {"estimated"}),
    ],
    ids=["none", "single", "short", "brief", "estimated"],
)
def test_circumstances_of_the_rounds_are_flagged(
    metered: Any, rounds: int, seconds: float, tier: Tier, flags: set[str]
) -> None:
    """Each circumstance has its flag, and a good measurement has none."""
    panel, _ = metered(tier)
    found, _ = _drive(_plan(rounds=rounds), panel, seconds_per_call=lambda _: seconds)
    assert found.flags == flags


def test_a_silent_counter_makes_its_round_invalid(metered: Any) -> None:
    """The round in which a hardware counter gave nothing says so, the others stay good."""
    panel, _ = metered(Tier.COUNTER, [1.0, None, 2.0])
    found, _ = _drive(_plan(), panel)
    assert [r.reasons for r in found.rounds] == [[], ["meter_silent"], []]
    assert "no_energy" not in found.flags


@pytest.mark.parametrize("tier", [Tier.COUNTER, Tier.ESTIMATED])
def test_energy_unknown_in_all_rounds_is_flagged_as_such(metered: Any, tier: Tier) -> None:
    """Without any value the case has no energy, and no estimate either."""
    panel, _ = metered(tier, [None, None, None])
    found, _ = _drive(_plan(), panel)
    assert found.flags - {"brief_window"} == {"no_energy"}


def test_an_estimate_that_is_unknown_is_no_silent_sensor(metered: Any) -> None:
    """Too little CPU time for an estimate does not make a round invalid."""
    panel, _ = metered(Tier.ESTIMATED, [None, 1.0, 1.0])
    assert _drive(_plan(), panel)[0].rounds[0].reasons == []


class Work:
    """Counts its calls and returns their number; raises at the call that it is told."""

    def __init__(self, fails_at: int = 0, error: type[Exception] = ZeroDivisionError) -> None:
        self.calls = 0
        self.synchronised: list[int] = []
        self._fails_at = fails_at
        self._error = error

    def __call__(self) -> int:
        self.calls += 1
        if self.calls == self._fails_at:
            raise self._error(f"call {self.calls}")
        return self.calls

    async def coroutine(self) -> int:
        await asyncio.sleep(0)
        return self()

    def synchronise(self) -> None:
        self.synchronised.append(self.calls)


@dataclass
class Driven:
    """Work that was driven through the protocol, whether it failed or not."""

    way: str
    panel: Panel
    found: Measurement = field(default_factory=Measurement)

    def run(self, work: Work, **plan: Any) -> int:
        running = _protocol(_plan(**plan), self.panel, self.found)
        if self.way == "sync":
            return run_sync(running, work, synchronise=work.synchronise)
        return asyncio.run(run_async(running, work.coroutine, synchronise=work.synchronise))


#: Each round calls the work once, and nothing comes before.
SHORT = {"rounds": 2, "warmup_max_s": 0, "is_repeatable": False}


@pytest.fixture(params=["sync", "async"])
def driven(request: pytest.FixtureRequest, metered: Any) -> Driven:
    """Drive work as a function and as a coroutine."""
    return Driven(request.param, metered()[0])


def test_the_last_result_is_returned(driven: Driven) -> None:
    """A measured function is still a function: its result can be asserted on."""
    work = Work()
    assert (driven.run(work, **SHORT), work.calls, len(driven.found.rounds)) == (2, 2, 2)


def test_devices_are_synchronised_around_the_calls(driven: Driven) -> None:
    """Both edges of each window wait for the devices, outside the calls themselves."""
    work = Work()
    driven.run(work, **SHORT)
    assert work.synchronised == [0, 1, 1, 2]


def test_windows_lie_one_after_another_on_the_monotonic_clock(driven: Driven) -> None:
    """Rounds do not overlap, and the energy is that of the window's own stamps."""
    driven.run(Work(), **SHORT)
    first, second = driven.found.rounds
    assert first.start_s <= first.end_s <= second.start_s <= second.end_s
    assert [e.value_j for e in second.energies] == [pytest.approx(3 * second.window_s)]


def test_an_exception_of_the_work_reaches_the_caller(driven: Driven) -> None:
    """Failing work fails at its call, and the rounds before it are kept."""
    work = Work(fails_at=2)
    with pytest.raises(ZeroDivisionError, match="call 2"):
        driven.run(work, **SHORT)
    assert (work.calls, len(driven.found.rounds)) == (2, 1)


def test_an_exhausted_iterator_is_not_taken_for_the_end(metered: Any) -> None:
    """StopIteration from the work is an error of the work."""
    driven = Driven("sync", metered()[0])
    with pytest.raises(StopIteration, match="call 2"):
        driven.run(Work(fails_at=2, error=StopIteration), **SHORT)


def test_calls_are_repeated_in_one_window(driven: Driven) -> None:
    """What a round counts as calls is how often the work really ran in it."""
    work = Work()
    result = driven.run(work, rounds=1, min_window_s=0.03, warmup_max_s=0)
    before, after = work.synchronised[-2:]
    assert driven.found.rounds[0].work.calls == after - before == work.calls - before
    assert result == work.calls
