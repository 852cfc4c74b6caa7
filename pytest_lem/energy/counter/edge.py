"""What a counter showed, and when that was true."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """A reading of a counter that stands still between its ticks.

    Attributes:
        time_s: when the energy used was `value_j`, CLOCK_MONOTONIC.
        value_j: joules since some moment that does not matter.
        half_width_s: the moment is certainly no farther from `time_s` than this.

    """

    time_s: float
    value_j: float
    half_width_s: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time between two edges of one counter."""

    first: Edge
    last: Edge

    @property
    def energy_j(self) -> float:
        """Return the joules used."""
        return self.last.value_j - self.first.value_j

    @property
    def duration_s(self) -> float:
        """Return the seconds between the edges."""
        return self.last.time_s - self.first.time_s

    @property
    def power_w(self) -> float:
        """Return the mean power."""
        return self.energy_j / self.duration_s
