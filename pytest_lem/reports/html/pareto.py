"""The Pareto front: what nothing else beats in both respects."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Tell of each (cost, gain) whether no other has less cost without less gain, or the reverse.

    Points that are the same are on the front together.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    is_on_front = [False] * len(points)
    best, cost_of_best = -inf, inf
    for i in order:
        cost, gain = points[i]
        if gain > best or (gain == best and cost == cost_of_best):
            is_on_front[i] = True
            best, cost_of_best = gain, cost
    return is_on_front
