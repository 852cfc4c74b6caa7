"""Rests between rounds, and the phases in which power at rest is measured."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.measure.method import Method
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement


def _delays(panel: Any, clock: Any, *, key: str = "case", seed: int = 1) -> list[float]:
    rests = Rests(Method(rounds=1, max_delay_s=1.0, seed=seed), panel, clock, key)
    clock.rests_s.clear()
    for _ in range(200):
        rests.before_round()
    return list(clock.rests_s)


def test_rests_are_random_up_to_a_second(metered: Any, clock: Any) -> None:
    """They cover the whole range, so that rounds do not keep step with a sensor."""
    delays = _delays(metered()[0], clock)
    assert len(set(delays)) == 200
    assert 0 <= min(delays) < 0.05
    assert 0.95 < max(delays) <= 1


def test_a_long_tick_makes_the_rests_longer(metered: Any, clock: Any) -> None:
    """A rest has to be able to shift a round by a whole tick."""
    panel, meter = metered()
    meter.tick_s = 4.0
    assert 3.5 < max(_delays(panel, clock)) <= 4


def test_rests_repeat_with_their_seed_and_case(metered: Any, clock: Any) -> None:
    """The same case rests alike in two runs; another case, or another seed, does not."""
    panel, _ = metered()
    first = _delays(panel, clock)
    assert _delays(panel, clock) == first
    assert _delays(panel, clock, key="other") != first
    assert _delays(panel, clock, seed=2) != first


def test_no_rest_is_taken_where_none_is_wanted(metered: Any, clock: Any) -> None:
    """With lengths of 0 rounds follow each other at once and nothing idle is measured."""
    panel, meter = metered()
    rests = Rests(Method(rounds=1), panel, clock, "case")
    measurement = Measurement()
    rests.before_round()
    rests.idle(measurement)
    assert (clock.rests_s, measurement.phases, meter.events) == ([], [], [])


def test_power_at_rest_is_a_phase(metered: Any, clock: Any) -> None:
    """It is metered while nothing happens, for as long as was asked for."""
    panel, meter = metered()
    measurement = Measurement()
    Rests(Method(rounds=1, idle_s=10.0), panel, clock, "case").idle(measurement)
    assert ([p.name for p in measurement.phases], clock.rests_s) == (["idle"], [10.0])
    assert meter.events == ["begin", "end"]


@pytest.mark.parametrize("tier", [Tier.ESTIMATED, Tier.NONE])
def test_without_a_sensor_nothing_is_waited_for(metered: Any, clock: Any, tier: Tier) -> None:
    """An estimate has no power at rest."""
    measurement = Measurement()
    Rests(Method(rounds=1, idle_s=10.0), metered(tier)[0], clock, "case").idle(measurement)
    assert (measurement.phases, clock.rests_s) == ([], [])
