"""Finding the moments at which a counter advances."""

from __future__ import annotations

import pytest

from pytest_lem.energy.counter.ticks import FEWEST_TICKS, PATIENCE_S, find_ticks, tick_of
from pytest_lem.energy.fault import Fault
from pytest_lem.flags import Reason


def test_edges_lie_at_ticks_within_their_width(clock, counter):
    """A tick is no farther from the middle of its edge than the edge says."""
    made = counter(tick_s=0.1, phase_s=0.037)
    found = find_ticks({"c": made}, clock, count=30)["c"]
    assert len(found.edges) == 30
    for edge in found.edges:
        off_s = (edge.time_s - 0.037 + 0.05) % 0.1 - 0.05
        assert abs(off_s) <= edge.half_width_s < 0.002


def test_the_value_of_an_edge_is_the_energy_at_its_tick(clock, counter):
    """What a counter shows after a tick is what was used until then."""
    made = counter()
    edge = find_ticks({"c": made}, clock, count=1)["c"].edges[0]
    assert edge.value_j == pytest.approx(made.load.energy_j(edge.time_s), abs=70 * 0.002)


def test_counters_are_searched_together(clock, counter):
    """Eight boards take as long as the slowest of them, not eight times as long."""
    made = {f"c{n}": counter(phase_s=0.01 * n) for n in range(8)}
    begun_s = clock.now()
    found = find_ticks(made, clock, count=2)
    assert all(len(f.edges) == 2 for f in found.values())
    assert clock.now() - begun_s < 0.3


def test_a_counter_that_stands_still_is_given_up(clock, counter):
    """A dead counter ends the search with its reason, and does not hold up the others."""
    found = find_ticks({"dead": lambda: 5.0, "live": counter()}, clock, count=2)
    assert found["dead"].fault.reason == Reason.NO_TICK
    assert len(found["live"].edges) == 2
    assert clock.now() < 100 + PATIENCE_S + 0.5


def test_a_fault_ends_the_search_of_its_counter(clock, counter):
    """A board that is lost in the middle says so, and keeps the edges found before."""
    lost = counter(fault=Fault(Reason.GPU_LOST), fails_after=150)
    found = find_ticks({"c": lost}, clock, count=10**6)["c"]
    assert found.fault.reason == Reason.GPU_LOST
    assert found.edges


def test_a_search_can_end_by_time(clock, counter):
    """With a time to end at, a search takes what came until then and complains of nothing."""
    found = find_ticks(
        {"c": counter(tick_s=0.5), "dead": lambda: 1.0}, clock, count=99, until_s=103
    )
    assert 4 <= len(found["c"].edges) <= 6
    assert found["dead"].fault is None
    assert clock.now() == pytest.approx(103, abs=0.01)


@pytest.mark.parametrize("tick_s", [0.01, 0.02, 0.1])
def test_the_length_of_a_tick_is_found(clock, counter, tick_s):
    """Median and 90th percentile are those of the counter, whatever its tick."""
    found = find_ticks({"c": counter(tick_s=tick_s)}, clock, count=10**6, until_s=103)["c"]
    tick = tick_of(found)
    assert tick.median_s == pytest.approx(tick_s, abs=0.0005)
    assert tick.p90_s == pytest.approx(tick_s, rel=0.2)
    assert tick.n >= FEWEST_TICKS


def test_too_few_ticks_have_no_length(clock, counter):
    """A tick of half a second is not known after three seconds."""
    found = find_ticks({"c": counter(tick_s=0.5)}, clock, count=10**6, until_s=103)["c"]
    assert tick_of(found) is None
