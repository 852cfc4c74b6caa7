"""What a change of energy is made of: power and speed, which add up to it exactly."""

from __future__ import annotations

from math import log

from pytest_lem.gate.rule import percent


def attribution(energy_ratio: float, speed_ratio: float) -> dict[str, float]:
    """Split the change of joules for one thing, in per cent.

    Joules for one thing are watts over things per second, so the logarithm of the ratio is that of
    the powers less that of the speeds, with nothing left over. `power_pct` and `speed_pct` are the
    changes of watts and of speed, each by itself.
    """
    change, speed = log(energy_ratio), log(speed_ratio)
    return {
        "energy_pct": percent(change),
        "power_pct": percent(change + speed),
        "speed_pct": percent(speed),
    }
