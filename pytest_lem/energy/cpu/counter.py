"""What a counter of the CPU's energy is, and what it says when it cannot be read."""

from __future__ import annotations

from typing import Protocol

from pytest_lem.energy.fault import Fault
from pytest_lem.energy.reading import Domain
from pytest_lem.flags import Reason


class CounterFault(Fault):
    """A counter could not be read: why, as a reason and as a sentence that says what to do."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(reason)
        self.args = (sentence,)


class Counter(Protocol):
    """One counter of one device."""

    @property
    def domain(self) -> Domain:
        """Return what it covers."""

    @property
    def device(self) -> str:
        """Return `package-0`, `dram-0` and the like."""

    @property
    def range_uj(self) -> int:
        """Return the largest value, in microjoules; 0 if unknown, or too large to be reached."""

    @property
    def max_power_w(self) -> float:
        """Return the largest power that the device can draw, in watts."""

    def read_uj(self) -> int:
        """Return the value in microjoules; raises CounterFault."""
