"""Whether reading a counter changes what it shows."""

from __future__ import annotations

from random import Random

import pytest

from pytest_lem.energy.counter.observer import observe
from pytest_lem.energy.fault import Fault
from pytest_lem.flags import Reason


@pytest.mark.parametrize("tick_s", [0.01, 0.02, 0.05, 0.1])
def test_an_honest_counter_is_not_suspected(clock, counter, tick_s):
    """Whatever the tick and its phase, both ways of reading agree within 2 %."""
    for seed in range(20):
        rng = Random(seed)
        made = counter(tick_s=tick_s, phase_s=rng.uniform(0, tick_s), rng=rng)
        found = observe({"c": made}, clock, rest_s=5.0)["c"]
        assert not found.is_disturbed
        assert found.quiet_w == pytest.approx(70, rel=0.02)


@pytest.mark.parametrize("disturbed_j", [0.05, 1.0, -0.1])
def test_a_disturbed_counter_is_found_out(clock, counter, disturbed_j):
    """A counter that each reading moves, up or down, shows another power when read densely."""
    found = observe({"c": counter(disturbed_j=disturbed_j)}, clock, rest_s=5.0)["c"]
    assert found.is_disturbed


def test_several_counters_are_tested_at_once(clock, counter):
    """A box of boards takes as long as one board, and each has a verdict of its own."""
    made = {"good": counter(phase_s=0.07), "bad": counter(disturbed_j=1.0)}
    found = observe(made, clock, rest_s=5.0)
    assert [found[name].is_disturbed for name in ("good", "bad")] == [False, True]
    assert clock.now() < 111


def test_it_reads_the_quiet_part_twice(clock, counter):
    """Between the two readings of the quiet part there is none."""
    made = counter()
    observe({"c": made}, clock, rest_s=5.0)
    dense = 2 * (2.5 / 0.02)
    assert made.reads <= dense + 4


@pytest.mark.parametrize("after", [0, 50, 130])
def test_a_counter_that_fails_has_no_verdict(clock, counter, after):
    """Nothing is claimed of a counter that could not be read to the end."""
    lost = counter(fault=Fault(Reason.GPU_LOST), fails_after=after)
    assert observe({"c": lost}, clock, rest_s=5.0) == {"c": None}


def test_a_counter_that_stands_still_has_no_verdict(clock):
    """A dead counter shows no power either way, which is no agreement."""
    assert observe({"c": lambda: 3.0}, clock, rest_s=5.0) == {"c": None}


def test_a_busy_machine_has_no_verdict(clock, counter):
    """Where the dense readings were far apart, their power is too uncertain to be compared."""
    made = counter()

    def seldom():
        clock.sleep(0.3)
        return made()

    assert observe({"c": seldom}, clock, rest_s=5.0) == {"c": None}
