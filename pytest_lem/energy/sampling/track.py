"""The samples of one device."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the power of a device comes from.

    Attributes:
        name: a function or field of the driver, or `RAPL`.
        averaging_s: each value is the mean of so many seconds before it; None if unknown.

    """

    name: str
    averaging_s: float | None


class Track:
    """Columns over the time stamps of one device, in seconds of CLOCK_MONOTONIC.

    NaN stands for a missing value, so that an hour takes little memory.
    """

    def __init__(self, names: Sequence[str], source: Source | None = None) -> None:
        self.source = source
        self.times_s = array("d")
        self.columns = {name: array("d") for name in names}

    def add(self, time_s: float, values: Sequence[float | None]) -> None:
        """Append one sample, its values in the order of the columns."""
        self.times_s.append(time_s)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(nan if value is None else value)

    def between(self, start_s: float, end_s: float) -> Track:
        """Return the samples from `start_s` to `end_s`, both included."""
        part = slice(bisect_left(self.times_s, start_s), bisect_right(self.times_s, end_s))
        found = Track((), self.source)
        found.times_s = self.times_s[part]
        found.columns = {name: column[part] for name, column in self.columns.items()}
        return found

    def known(
        self, name: str, start_s: float = -inf, end_s: float = inf
    ) -> tuple[list[float], list[float]]:
        """Return times and values of a column where there is a value; empty without the column."""
        first = bisect_left(self.times_s, start_s)
        last = bisect_right(self.times_s, end_s)
        values = self.columns.get(name, array("d"))[first:last]
        pairs = zip(self.times_s[first:last], values, strict=False)
        found = [(time_s, value) for time_s, value in pairs if not isnan(value)]
        return [time_s for time_s, _ in found], [value for _, value in found]
