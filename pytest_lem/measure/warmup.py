"""Warm-up until the figures are steady, and the length of one repetition found on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median, pstdev

#: The criterion looks at this many of the last bins.
WINDOW = 5
#: Temperatures count as steady within this many degrees.
CALM_C = 1.0
#: Bins of at least this length, so that sampled power says something about them.
BIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Whole repetitions that ran together.

    Attributes:
        power_w: mean power of the devices at work, None without a sensor.
        temperature_c: of the hottest of them at the end, None where none is known.

    """

    start_s: float
    end_s: float
    repetitions: int = 1
    power_w: float | None = None
    temperature_c: float | None = None

    @property
    def repetition_s(self) -> float:
        """Return the length of one repetition."""
        return (self.end_s - self.start_s) / self.repetitions

    @property
    def repetition_j(self) -> float | None:
        """Return the energy of one repetition."""
        return None if self.power_w is None else self.power_w * self.repetition_s


class WarmUp:
    """Is given bins of repetitions and says when it has seen enough.

    Steady means: the coefficient of variation of the last five is at most `cv`, of their energy
    where it is known and else of their time, and for `calm_s` seconds temperatures have stayed
    within a degree. It ends in any case after `max_s` seconds. There is always one bin.
    """

    def __init__(self, *, cv: float, max_s: float, calm_s: float = 0.0) -> None:
        self._cv = cv
        self._max_s = max_s
        self._calm_s = calm_s
        self.bins: list[Bin] = []

    def add(self, found: Bin) -> None:
        """Take in one bin."""
        self.bins.append(found)

    @property
    def achieved_cv(self) -> float | None:
        """Return the variation of the last five bins; None before there are five."""
        last = self.bins[-WINDOW:]
        if len(last) < WINDOW:
            return None
        energies = [b.repetition_j for b in last if b.repetition_j is not None]
        figures = energies if len(energies) == WINDOW else [b.repetition_s for b in last]
        return pstdev(figures) / fmean(figures) if fmean(figures) > 0 else None

    @property
    def is_steady(self) -> bool:
        """Tell whether the criterion is met."""
        achieved = self.achieved_cv
        return achieved is not None and achieved <= self._cv and self._is_calm()

    @property
    def is_over(self) -> bool:
        """Tell whether to stop."""
        return bool(self.bins) and (self.is_steady or self._worked_s() >= self._max_s)

    def __str__(self) -> str:
        """Say how far it has come."""
        achieved = self.achieved_cv
        scatter = "unknown" if achieved is None else f"{achieved:.1%}"
        state = "steady" if self.is_steady else "not steady"
        return f"{len(self.bins)} bins, CV of the last {WINDOW} {scatter}, {state}"

    def repetitions_for(self, window_s: float) -> int:
        """Return how many repetitions fill a window, with a little to spare."""
        typical_s = median(b.repetition_s for b in self.bins[-WINDOW:])
        return max(1, math.ceil(window_s * 1.05 / typical_s)) if typical_s > 0 else 1

    def _worked_s(self) -> float:
        return sum(b.end_s - b.start_s for b in self.bins)

    def _is_calm(self) -> bool:
        """Tell whether the temperature has stayed; one that is not known is not waited for."""
        end_s = self.bins[-1].end_s
        known = [(b.end_s, b.temperature_c) for b in self.bins if b.temperature_c is not None]
        if not known or self._calm_s <= 0:
            return True
        late = [c for time_s, c in known if time_s >= end_s - self._calm_s]
        is_long = end_s - known[0][0] >= self._calm_s
        return is_long and max(late) - min(late) <= CALM_C
