"""Rests: random ones before rounds, and the idle phases in which power at rest is measured."""

from __future__ import annotations

from random import Random

from pytest_lem.clock import Clock
from pytest_lem.energy.panel import Panel
from pytest_lem.flags import Reason
from pytest_lem.measure.idle import IDLE, is_busy
from pytest_lem.measure.method import Method
from pytest_lem.measure.round import Measurement, metered_phase


class Rests:
    """Lets time pass between the rounds of one case."""

    def __init__(self, method: Method, panel: Panel, clock: Clock, case_key: str) -> None:
        self._method = method
        self._panel = panel
        self._clock = clock
        self._random = Random(f"{method.seed} {case_key}")  # noqa: S311 - no secret

    def before_round(self) -> None:
        """Rest at random, so that rounds do not keep step with what the sensor sees.

        Sensors that look at a part of the time only would see the same part of a periodic load.
        """
        if self._method.max_delay_s > 0:
            longest_s = max(self._method.max_delay_s, self._panel.tick_s or 0.0)
            self._clock.sleep(self._random.uniform(0, longest_s))

    def idle(self, measurement: Measurement) -> None:
        """Measure the power at rest, as a phase of its own."""
        if self._method.idle_s > 0 and self._panel.has_sensor:
            _, reading = metered_phase(
                self._panel, IDLE, lambda: self._clock.sleep(self._method.idle_s), measurement
            )
            if is_busy(reading):
                measurement.reasons.add(Reason.BUSY_AT_REST)
