"""Rests between rounds, and the phases in which power at rest is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.energy.conditions import Conditions
from pytest_lem.energy.reading import Domain, Tier
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


@pytest.mark.parametrize(
    ("device", "share", "is_busy"),
    [("given", 0.5, True), ("given", 0.02, False), ("given", None, False), ("other", 0.5, False)],
)
def test_a_gpu_in_use_at_rest_makes_the_case_invalid(
    metered: Any, clock: Any, device: str, share: float | None, is_busy: bool
) -> None:
    """Somebody else works on it, also where the driver shows no process."""
    panel, _ = metered()

    class OnGpu:
        """Turns the meter's energy into that of a GPU, with its utilisation."""

        def begin(self) -> object:
            """See something."""
            return self

        def look_back(self, edge: object, reading: Any, start_s: float, end_s: float) -> Any:
            energies = [replace(e, domain=Domain.GPU) for e in reading.energies]
            conditions = Conditions(utilisation={device: share})
            return replace(reading, energies=energies, conditions=conditions)

        def open(self, scope: object) -> None:
            """Look at nothing."""

    panel.watch = OnGpu()
    measurement = Measurement()
    Rests(Method(rounds=1, idle_s=1.0), panel, clock, "case").idle(measurement)
    assert measurement.reasons == ({"busy_at_rest"} if is_busy else set())


@pytest.mark.parametrize("tier", [Tier.ESTIMATED, Tier.NONE])
def test_without_a_sensor_nothing_is_waited_for(metered: Any, clock: Any, tier: Tier) -> None:
    """An estimate has no power at rest."""
    measurement = Measurement()
    Rests(Method(rounds=1, idle_s=10.0), metered(tier)[0], clock, "case").idle(measurement)
    assert (measurement.phases, clock.rests_s) == ([], [])
