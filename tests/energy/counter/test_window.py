"""The energy of windows between ticks, against the truth of a made world."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pytest_lem.energy.counter.edge import Edge, Stretch
from pytest_lem.energy.counter.ticks import find_ticks
from pytest_lem.energy.counter.window import energy_between, energy_in_load

#: Windows tried; the first of them are also the same on every machine.
CASES = 3000
LIMIT_W = 800.0
#: Share of windows whose true value lies within the expanded uncertainty.
COVERED = 0.93


@pytest.fixture
def world(clock, counter, loads):
    """Make a random device with its counter, from a seed."""

    def make(seed):
        rng = Random(seed)
        rest_w = rng.uniform(20, 150)
        top_w = rng.uniform(rest_w + 20, 700)
        pieces = [(rng.uniform(0.02, 0.3), top_w * rng.uniform(0.5, 1)) for _ in range(20)]
        load = loads(
            rest_w,
            pieces,
            left_w=rng.uniform(0, 0.5) * (top_w - rest_w),
            decay_s=10 ** rng.uniform(-3, -0.7),
        )
        tick_s = 10 ** rng.uniform(-2, -0.7)
        made = counter(
            load,
            tick_s=tick_s,
            phase_s=rng.uniform(0, tick_s),
            gain=rng.uniform(0.95, 1.05),
            rng=rng,
        )
        return made, 10 ** rng.uniform(-0.6, 1)

    return make


def work(clock, load, window_s, rng):
    """Let the load work for a while, beginning and ending a little late as real work does."""
    clock.sleep(rng.uniform(1e-4, 2e-3))
    load.start_s = clock.now()
    clock.sleep(window_s)
    load.end_s = clock.now()
    clock.sleep(rng.uniform(1e-4, 1e-3))


def aligned(clock, made, window_s):
    """Measure as the project does; return what was found and the error."""
    load = made.load
    before = Stretch(*find_ticks({"c": made}, clock, count=2)["c"].edges)
    work(clock, load, window_s, made.rng)
    after = Stretch(*find_ticks({"c": made}, clock, count=2)["c"].edges)
    found = energy_between(before, after, load.start_s, load.end_s, limit_w=LIMIT_W)
    return found, found.value_j - truth(made)


def unaligned(clock, made, window_s):
    """Measure as others do: read at the two ends, with the same formula and claims."""
    load = made.load
    at_rest = Stretch(*find_ticks({"c": made}, clock, count=2)["c"].edges)
    clock.sleep(made.rng.uniform(0, made.tick_s))
    first = Edge(clock.now(), made(), at_rest.first.half_width_s)
    before = Stretch(replace(first, value_j=first.value_j - 1, time_s=first.time_s - 0.1), first)
    work(clock, load, window_s, made.rng)
    last = Edge(clock.now(), made(), at_rest.first.half_width_s)
    after = Stretch(last, replace(last, value_j=last.value_j + 1, time_s=last.time_s + 0.1))
    found = energy_between(before, after, load.start_s, load.end_s, limit_w=LIMIT_W)
    return found, found.value_j - truth(made)


def truth(made):
    """Return what the sensor itself holds the work to have used: its gain is not in question."""
    load = made.load
    return made.gain * (load.energy_j(load.end_s) - load.energy_j(load.start_s))


def shares(world, clock, measure):
    """Return the shares of windows within the bound, and within the expanded uncertainty."""
    found = [measure(clock, *world(seed)) for seed in range(CASES)]
    bounded = sum(abs(error) <= joules.bound_j for joules, error in found)
    covered = sum(abs(error) <= 2 * joules.u_j for joules, error in found)
    return bounded / CASES, covered / CASES


def test_the_bound_holds_always_and_the_uncertainty_nearly_so(world, clock):
    """Over random loads, ticks, phases, gains and windows, what is stated about errors is true."""
    bounded, covered = shares(world, clock, aligned)
    assert bounded == 1
    assert covered >= COVERED


def test_without_alignment_the_same_statements_are_false(world, clock):
    """The test above can fail: it does for counters that are read wherever a window ends."""
    bounded, covered = shares(world, clock, unaligned)
    assert bounded < 1
    assert covered < COVERED


@pytest.mark.parametrize(("window_s", "error"), [(0.25, 0.02), (0.5, 0.01), (1, 0.005), (5, 0.001)])
def test_short_windows_are_hardly_wrong(clock, counter, window_s, error):
    """With a tick of 100 ms and 500 W over 70 W, half a second is within 1 %, five within 0.1 %."""
    worst = 0.0
    for seed in range(200):
        rng = Random(seed)
        made = counter(phase_s=rng.uniform(0, 0.1), rng=rng)
        _, missed_j = aligned(clock, made, window_s)
        worst = max(worst, abs(missed_j) / truth(made))
    assert worst <= error


@pytest.mark.parametrize(("window_s", "mean"), [(0.25, -0.172), (1, -0.043), (5, -0.0086)])
def test_naive_edges_are_low_as_the_formula_says(clock, counter, window_s, mean):
    """The bias that alignment removes is -(1 - rest / load) x tick / (2 x window)."""
    errors = []
    for seed in range(400):
        rng = Random(seed)
        made = counter(phase_s=rng.uniform(0, 0.1), rng=rng)
        clock.sleep(1.0)
        first_j = made()
        work(clock, made.load, window_s, rng)
        errors.append((made() - first_j) / truth(made) - 1)
    assert sum(errors) / len(errors) == pytest.approx(mean, rel=0.15)


def test_a_fall_that_is_seen_is_taken_off(clock, counter, loads):
    """What is left of the load after the window belongs to the pad, not to the window."""
    load = loads(70.0, [(1.0, 500.0)], left_w=200.0, decay_s=0.3)
    found, error = aligned(clock, counter(load, phase_s=0.05), 1.0)
    assert abs(error) <= 2 * found.u_j
    assert abs(error) < 3


def test_no_bound_is_stated_without_a_limit():
    """A device of unknown limit may have drawn anything in the pads."""
    before = Stretch(Edge(0.0, 0.0, 0.001), Edge(0.1, 7.0, 0.001))
    after = Stretch(Edge(1.2, 507.0, 0.001), Edge(1.3, 514.0, 0.001))
    found = energy_between(before, after, 0.1, 1.1, limit_w=None)
    assert found.bound_j is None
    assert found.value_j == pytest.approx(493.0)
    assert found.u_j > 0


class TestSteadyLoad:
    """Both edges inside a load that runs on."""

    def steady(self, clock, made, window_s):
        """Measure a stretch of a load that began long ago, on the ticks themselves."""
        made.load.start_s = clock.now() - 10
        first = find_ticks({"c": made}, clock, count=1)["c"].edges[0]
        clock.sleep(window_s)
        last = find_ticks({"c": made}, clock, count=1)["c"].edges[0]
        found = energy_in_load(first, last, first.time_s, last.time_s, limit_w=LIMIT_W)
        load = made.load
        true_j = made.gain * (load.energy_j(last.time_s) - load.energy_j(first.time_s))
        return found, found.value_j - true_j

    def test_what_is_stated_is_true(self, world, clock):
        """Over random loads, the bound holds always and the uncertainty nearly so."""
        found = [self.steady(clock, *world(seed)) for seed in range(CASES)]
        assert all(abs(error) <= joules.bound_j for joules, error in found)
        covered = sum(abs(error) <= 2 * joules.u_j for joules, error in found)
        assert covered / CASES >= COVERED

    def test_a_window_off_the_edges_is_less_certain(self):
        """Outside the edges the power is not known, and the uncertainty says so."""
        first, last = Edge(0.0, 0.0, 0.001), Edge(5.0, 2000.0, 0.001)
        on = energy_in_load(first, last, 0.0, 5.0, limit_w=LIMIT_W)
        off = energy_in_load(first, last, 0.05, 4.95, limit_w=LIMIT_W)
        assert on.value_j == pytest.approx(2000.0)
        assert off.value_j == pytest.approx(1960.0)
        assert off.u_j > 10 * on.u_j
        assert off.bound_j > on.bound_j > 0
