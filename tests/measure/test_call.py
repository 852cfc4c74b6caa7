"""Measuring a callable: the protocol under a clock set by hand, and the two ways to drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.reading import Tier
from pytest_lem.measure.call import CallPlan, protocol, run_async, run_sync, work_of
from pytest_lem.measure.round import Measurement

deterministic = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _plan(**changes: Any) -> CallPlan:
    fields = {"rounds": 3, "min_window_s": 0.0, "warmup_cv": 0.01, "warmup_max_s": 60.0}
    return CallPlan(**{**fields, **changes})


def _scope() -> Scope:
    return Scope(pids=(7,))


def _drive(
    plan: CallPlan, panel: Any, *, seconds_per_call: Callable[[int], float] = lambda _: 1.0
) -> tuple[Measurement, list[int]]:
    """Play the work on a clock of our own; return the measurement and the calls in each step."""
    steps: list[int] = []
    now_s = 100.0
    running = protocol(plan, panel, _scope)
    calls = next(running)
    try:
        while True:
            steps.append(calls)
            end_s = now_s + calls * seconds_per_call(len(steps))
            stamps, now_s = (now_s, end_s), end_s + 1
            calls = running.send(stamps)
    except StopIteration as stop:
        return stop.value, steps


@deterministic
@given(
    seconds=st.floats(1e-6, 20), min_window_s=st.floats(0, 30), rounds=st.integers(1, 5)
)
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
    from pytest_lem.energy.panel import Panel

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
    running = protocol(_plan(), metered()[0], lambda: asked.append("scope") or _scope())
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


@pytest.mark.parametrize(
    ("work_per_call", "units"), [(None, None), (64, 256), (0.5, 2.0)], ids=str
)
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
        (3, 1.0, Tier.COUNTER, set()),
        (1, 1.0, Tier.COUNTER, {"single_round"}),
        (3, 0.5, Tier.COUNTER, {"short_window"}),
        (3, 1.0, Tier.ESTIMATED, {"estimated"}),
    ],
    ids=["none", "single", "short", "estimated"],
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
    assert found.flags == {"no_energy"}


def test_an_estimate_that_is_unknown_is_no_silent_sensor(metered: Any) -> None:
    """Too little CPU time for an estimate does not make a round invalid."""
    panel, _ = metered(Tier.ESTIMATED, [None, 1.0, 1.0])
    assert _drive(_plan(), panel)[0].rounds[0].reasons == []


class Work:
    """Counts its calls and returns their number; raises at the call that it is told."""

    def __init__(self, fails_at: int = 0) -> None:
        self.calls = 0
        self.synchronised: list[int] = []
        self._fails_at = fails_at

    def __call__(self) -> int:
        self.calls += 1
        if self.calls == self._fails_at:
            raise ZeroDivisionError(f"call {self.calls}")
        return self.calls

    async def coroutine(self) -> int:
        await asyncio.sleep(0)
        return self()

    def synchronise(self) -> None:
        self.synchronised.append(self.calls)


def _run(way: str, plan: CallPlan, panel: Any, work: Work) -> tuple[Measurement, Any]:
    running = protocol(plan, panel, _scope)
    if way == "sync":
        return run_sync(running, work, synchronise=work.synchronise)
    return asyncio.run(run_async(running, work.coroutine, synchronise=work.synchronise))


SHORT = {"rounds": 2, "warmup_max_s": 0, "is_repeatable": False}


@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_last_result_is_returned(metered: Any, way: str) -> None:
    """A measured function is still a function: its result can be asserted on."""
    work = Work()
    found, result = _run(way, _plan(**SHORT), metered()[0], work)
    assert (result, work.calls, len(found.rounds)) == (2, 2, 2)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_devices_are_synchronised_around_the_calls(metered: Any, way: str) -> None:
    """Both edges of each window wait for the devices, outside the calls themselves."""
    work = Work()
    _run(way, _plan(**SHORT), metered()[0], work)
    assert work.synchronised == [0, 1, 1, 2]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_windows_lie_one_after_another_on_the_monotonic_clock(metered: Any, way: str) -> None:
    """Rounds do not overlap, and the energy is that of the window's own stamps."""
    found, _ = _run(way, _plan(**SHORT), metered()[0], Work())
    first, second = found.rounds
    assert first.start_s <= first.end_s <= second.start_s <= second.end_s
    assert [e.value_j for e in second.energies] == [pytest.approx(3 * second.window_s)]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_exception_of_the_work_reaches_the_caller(metered: Any, way: str) -> None:
    """Failing work fails as it would unmeasured, at the call at which it fails."""
    work = Work(fails_at=2)
    with pytest.raises(ZeroDivisionError, match="call 2"):
        _run(way, _plan(**SHORT), metered()[0], work)
    assert work.calls == 2


@pytest.mark.parametrize("way", ["sync", "async"])
def test_calls_are_repeated_in_one_window(metered: Any, way: str) -> None:
    """What a round counts as calls is how often the work really ran in it."""
    work = Work()
    plan = _plan(rounds=1, min_window_s=0.03, warmup_max_s=0)
    found, result = _run(way, plan, metered()[0], work)
    before, after = work.synchronised[-2:]
    assert found.rounds[0].work.calls == after - before == work.calls - before
    assert result == work.calls
