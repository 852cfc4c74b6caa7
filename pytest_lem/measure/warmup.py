"""Warm-up until the figure is steady, and the length of one repetition found on the way."""

from __future__ import annotations

import math
from statistics import fmean, median, pstdev

#: The criterion looks at this many of the last repetitions.
WINDOW = 5


class WarmUp:
    """Is given the seconds of each repetition and says when it has seen enough.

    Steady means: the coefficient of variation of the last five is at most `cv`. It ends in any
    case once the repetitions have taken `max_s` seconds together. There is always one.
    """

    def __init__(self, *, cv: float, max_s: float) -> None:
        self._cv = cv
        self._max_s = max_s
        self.times_s: list[float] = []

    def add(self, duration_s: float) -> None:
        """Take in one repetition."""
        self.times_s.append(duration_s)

    @property
    def achieved_cv(self) -> float | None:
        """Return the variation of the last five repetitions; None before there are five."""
        last = self.times_s[-WINDOW:]
        return pstdev(last) / fmean(last) if len(last) == WINDOW and fmean(last) > 0 else None

    @property
    def is_steady(self) -> bool:
        """Tell whether the criterion is met."""
        achieved = self.achieved_cv
        return achieved is not None and achieved <= self._cv

    @property
    def is_over(self) -> bool:
        """Tell whether to stop."""
        return bool(self.times_s) and (self.is_steady or sum(self.times_s) >= self._max_s)

    def repetitions_for(self, window_s: float) -> int:
        """Return how many repetitions fill a window, with a little to spare."""
        typical_s = median(self.times_s[-WINDOW:])
        return max(1, math.ceil(window_s * 1.05 / typical_s)) if typical_s > 0 else 1
