"""Energy from a counter that goes round, whatever number of turns it takes."""

from __future__ import annotations

from math import inf

#: Taken for the largest power of a package or its memory where the kernel names none, in watts.
MAX_POWER_W = 500.0


def turn_s(range_uj: int, max_power_w: float) -> float:
    """Return the seconds of one turn at the largest power; infinite where the range is unknown."""
    return (range_uj + 1) / 1e6 / max_power_w if range_uj else inf


def step_uj(before_uj: int, after_uj: int, range_uj: int) -> int | None:
    """Return the energy between two readings that are less than a turn apart.

    `range_uj` is the largest value of the counter, 0 if that is unknown. None: the counter went
    down, and nothing tells by how much it went up.
    """
    if after_uj >= before_uj:
        return after_uj - before_uj
    # From the largest value to 0 is one microjoule more.
    step = after_uj - before_uj + range_uj + 1
    return step if range_uj and step > 0 else None


class Odometer:
    """The energy since the first reading, as long as readings are less than a turn apart.

    `used_uj` is that energy. `is_lost` tells that the counter may have gone round unseen, so that
    it is worth nothing.
    """

    def __init__(self, *, range_uj: int, turn_s: float) -> None:
        self.used_uj = 0
        self.is_lost = False
        self._range_uj = range_uj
        self._turn_s = turn_s
        self._last: tuple[int, float] | None = None

    @property
    def has_begun(self) -> bool:
        """Tell whether there was a first reading."""
        return self._last is not None

    def advance(self, count_uj: int, now_s: float) -> None:
        """Take what the counter shows at a monotonic time; the first call is the start."""
        if self._last is not None:
            self._add(self._last[0], count_uj, now_s - self._last[1])
        self._last = (count_uj, now_s)

    def _add(self, before_uj: int, after_uj: int, gap_s: float) -> None:
        step = step_uj(before_uj, after_uj, self._range_uj)
        if step is None or gap_s >= self._turn_s:
            self.is_lost = True
        else:
            self.used_uj += step
