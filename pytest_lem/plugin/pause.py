"""The rest before a test that asks for energy: a gap, and until its devices have cooled down."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lem.clock import Clock
from pytest_lem.config.models import MeasureSettings
from pytest_lem.flags import Flag
from pytest_lem.measure.round import Measurement, Phase

#: Time between two looks at a temperature.
_LOOK_S = 1.0

#: Returns the temperature of the hottest device in degrees C; None where none is known.
Thermometer = Callable[[], float | None]


def pause(measure: MeasureSettings, clock: Clock, hottest_c: Thermometer) -> Measurement | None:
    """Let time pass as `measure` asks, and return what has to stand in the records; or None."""
    if measure.gap_s == 0 and measure.cooldown_c is None:
        return None
    start_s = clock.now()
    clock.sleep(measure.gap_s)
    found = Measurement()
    if measure.cooldown_c is not None and not _cool_down(
        measure.cooldown_c, measure.cooldown_max_s, clock, hottest_c
    ):
        found.flags.add(Flag.NOT_COOLED)
    found.phases.append(Phase(name="rest", start_s=start_s, end_s=clock.now()))
    return found


def _cool_down(limit_c: float, longest_s: float, clock: Clock, hottest_c: Thermometer) -> bool:
    """Wait until the hottest device is at `limit_c`; False when it is not, or none is known."""
    until_s = clock.now() + longest_s
    while (found_c := hottest_c()) is not None and found_c > limit_c:
        if clock.now() >= until_s:
            return False
        clock.sleep(min(_LOOK_S, until_s - clock.now()))
    return found_c is not None
