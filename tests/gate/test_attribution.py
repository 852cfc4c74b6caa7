"""What a change of energy is made of."""

from __future__ import annotations

from math import log1p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.gate.attribution import attribution

deterministic = settings(derandomize=True, deadline=None, max_examples=300)
ratios = st.floats(0.01, 100)


@deterministic
@given(ratios, ratios)
def test_power_and_speed_add_up(energy: float, speed: float) -> None:
    """The logarithm of the energy is that of the power less that of the speed, and no rest."""
    parts = attribution(energy, speed)
    logs = {name: log1p(pct / 100) for name, pct in parts.items()}
    assert logs["energy_pct"] == pytest.approx(logs["power_pct"] - logs["speed_pct"], abs=1e-9)
    assert parts["energy_pct"] == pytest.approx(100 * (energy - 1), abs=1e-9)
    assert parts["speed_pct"] == pytest.approx(100 * (speed - 1), abs=1e-9)


@deterministic
@given(ratios, ratios)
def test_the_parts_are_those_of_watts_and_of_speed(power: float, speed: float) -> None:
    """Joules for one thing are watts over things a second, so both come out as they went in."""
    parts = attribution(power / speed, speed)
    assert parts["power_pct"] == pytest.approx(100 * (power - 1), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("energy", "speed", "power_pct", "speed_pct"),
    [
        (1.0, 1.0, 0.0, 0.0),
        (1.2, 1.0, 20.0, 0.0),  # as fast, at more watts
        (1.25, 0.8, 0.0, -20.0),  # the same watts for longer
        (1.0, 2.0, 100.0, 100.0),  # twice the watts for half the time
        (0.5, 1.0, -50.0, 0.0),
    ],
)
def test_by_hand(energy: float, speed: float, power_pct: float, speed_pct: float) -> None:
    """Each part is a change by itself, in per cent."""
    assert attribution(energy, speed) == pytest.approx(
        {"energy_pct": 100 * (energy - 1), "power_pct": power_pct, "speed_pct": speed_pct}
    )
