"""The clock of the whole project, CLOCK_MONOTONIC, as something that a test can take over."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> float:
        """Return seconds of CLOCK_MONOTONIC."""

    def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds; at once for 0 and less."""


class MonotonicClock:
    """The real one."""

    def now(self) -> float:
        """Return seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds; at once for 0 and less."""
        if duration_s > 0:
            time.sleep(duration_s)
