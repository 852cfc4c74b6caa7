"""Two sides in ABBA order, and the ratio of the two with an exact interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from pytest_lem.gate.paired import Pairs, interval, signed_rank_cut

T = TypeVar("T")

#: Probability that the interval does not hold the ratio, where there are pairs enough for it.
ALPHA = 0.05


class Estimate(NamedTuple):
    """The middle and the interval of `n` paired figures; `coverage` is what it really covers."""

    value: float
    low: float
    high: float
    coverage: float
    n: int


def is_first(pair: int) -> bool:
    """Tell whether side A comes first in a pair: A B, B A, A B, ..."""
    return pair % 2 == 0


def alternate(pairs: int, a: Callable[[], T], b: Callable[[], T]) -> list[tuple[T, T]]:
    """Run both sides `pairs` times in ABBA order and return what they gave, A's first."""
    found = []
    for pair in range(pairs):
        if is_first(pair):
            first, second = a(), b()
        else:
            second, first = b(), a()
        found.append((first, second))
    return found


def ratio(pairs: Iterable[tuple[float, float]]) -> Estimate:
    """Return B / A: the Hodges-Lehmann estimate of the paired logarithms, exponentiated."""
    found = difference((math.log(a), math.log(b)) for a, b in pairs)
    value, low, high = (math.exp(x) for x in found[:3])
    return found._replace(value=value, low=low, high=high)


def difference(pairs: Iterable[tuple[float, float]]) -> Estimate:
    """Return B - A: the Hodges-Lehmann estimate with its exact interval, as in the paired gate.

    Fewer than six pairs cannot cover 95 %: then the interval is the whole range and `coverage` says
    how much that is.
    """
    found = Pairs([[b - a for a, b in pairs]])
    _, tail = signed_rank_cut(len(found.logs), ALPHA / 2)
    low, high = interval(found, confidence=1 - ALPHA)
    return Estimate(found.middle, low, high, 1 - 2 * tail, len(found.logs))


def exactly(value: float) -> Estimate:
    """Return a figure that was counted once."""
    return Estimate(value, value, value, 1.0, 1)


class Figure(NamedTuple):
    """One line of the table. A goal is `>= x` or `<= x`."""

    name: str
    unit: str
    estimate: Estimate
    goal: str | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Tell whether the goal is met; None without one."""
        if self.goal is None:
            return None
        sign, limit = self.goal.split()
        value = self.estimate.value
        return value >= float(limit) if sign == ">=" else value <= float(limit)

    def row(self) -> tuple[str, ...]:
        """Return name, value with unit, interval, goal and note."""
        value, low, high, coverage, n = self.estimate
        digits = 4 if self.unit.startswith("x") else 1
        interval = f"[{low:.{digits}f}, {high:.{digits}f}] {100 * coverage:.0f} %, n = {n}"
        verdict = {None: "", True: f"{self.goal} met", False: f"{self.goal} MISSED"}[self.is_met]
        shown = interval if n > 1 else ""
        return self.name, f"{value:.{digits}f} {self.unit}", shown, verdict, self.note
