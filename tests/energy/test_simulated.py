"""The meter that makes energy up."""

from __future__ import annotations

import pytest

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.simulated import SimulatedMeter
from pytest_lem.flags import Flag


def test_energy_is_the_watts_times_the_seconds() -> None:
    """It depends on nothing but the length of the window, and is marked as made up."""
    meter = SimulatedMeter(simulated_w=42.0, setting_of_another_meter=1)
    meter.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
    (energy,) = meter.end(meter.begin(), 10.0, 12.5)
    meter.close()
    assert energy.value_j == pytest.approx(105.0)
    assert (energy.domain, energy.device, energy.tier) == ("estimate", "simulated", "estimated")
    assert energy.flags == (Flag.SIMULATED,)


def test_nothing_is_claimed_about_its_uncertainty() -> None:
    """A figure that stands for nothing cannot be off by anything."""
    meter = SimulatedMeter()
    (energy,) = meter.end(meter.begin(), 0.0, 1.0)
    assert energy.value_j == 100.0
    assert (energy.u_random_j, energy.u_systematic_j, energy.bound_j) == (None, None, None)
    assert meter.tick_s is None


def test_the_sentence_says_that_it_is_made_up() -> None:
    """Whoever finds it in a report cannot take it for a measurement."""
    found = SimulatedMeter(simulated_w=42.0).availability()
    assert (found.tier, found.constants) == ("estimated", {"simulated_w": 42.0})
    assert found.sentence == "simulated, 42 W at all times: made up, nothing is measured"
