"""Edges of counters that must not be polled."""

from __future__ import annotations

from random import Random

from pytest_lem.energy.counter.edge import Stretch
from pytest_lem.energy.counter.settled import settle
from pytest_lem.energy.counter.window import energy_between
from pytest_lem.energy.fault import Fault
from pytest_lem.flags import Reason

TICK_S = 0.1


def test_the_energy_of_a_window_is_right_without_searching_ticks(clock, counter):
    """Two readings a side are enough, and what is stated about them holds."""
    covered = 0
    for seed in range(300):
        rng = Random(seed)
        made = counter(tick_s=rng.uniform(0.01, TICK_S), phase_s=rng.uniform(0, 0.1), rng=rng)
        load = made.load
        before = Stretch(*settle({"c": made}, clock, count=2, tick_s=TICK_S)["c"].edges)
        load.start_s = clock.now()
        clock.sleep(2.0)
        load.end_s = clock.now()
        after = Stretch(*settle({"c": made}, clock, count=2, tick_s=TICK_S)["c"].edges)
        found = energy_between(before, after, load.start_s, load.end_s, limit_w=800)
        error = found.value_j - (load.energy_j(load.end_s) - load.energy_j(load.start_s))
        assert abs(error) <= found.bound_j
        assert made.reads == 4
        covered += abs(error) <= 2 * found.u_j
    assert covered >= 0.93 * 300


def test_the_first_reading_shows_all_of_the_work(clock, counter):
    """It waits for longer than a tick, since the counter may be that late."""
    begun_s = clock.now()
    settle({"c": counter()}, clock, count=1, tick_s=TICK_S)
    assert clock.now() - begun_s > TICK_S


def test_a_fault_is_kept_and_the_counter_left_alone(clock, counter):
    """A board that is lost is not asked again."""
    lost = counter(fault=Fault(Reason.GPU_LOST), fails_after=1)
    found = settle({"c": lost}, clock, count=3, tick_s=TICK_S)["c"]
    assert found.fault.reason == Reason.GPU_LOST
    assert len(found.edges) == 1


def test_without_counters_nothing_is_waited_for(clock):
    """A machine whose boards can all be polled does not rest for nothing."""
    assert settle({}, clock, count=2, tick_s=TICK_S) == {}
    assert clock.now() == 100
