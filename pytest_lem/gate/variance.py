"""Scatter between groups and within them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum
from typing import NamedTuple

#: Groups, and values in each, that are the least to tell the two scatters apart.
_FEWEST = 2


class Variances(NamedTuple):
    """The variance between groups, and the one within them."""

    between: float
    within: float


def variances(groups: Iterable[Sequence[float]]) -> Variances | None:
    """Return both by the analysis of variance; None with fewer than two groups of two values.

    Groups of unequal size count by their effective size (Searle, Linear Models, 11.4).
    """
    known = [group for group in groups if len(group) >= _FEWEST]
    if len(known) < _FEWEST:
        return None
    sizes = [len(group) for group in known]
    count = sum(sizes)
    means = [fsum(group) / len(group) for group in known]
    grand = fsum(fsum(group) for group in known) / count
    apart = fsum(n * (mean - grand) ** 2 for n, mean in zip(sizes, means, strict=True))
    inside = fsum((x - m) ** 2 for group, m in zip(known, means, strict=True) for x in group)
    within = inside / (count - len(known))
    size = (count - fsum(n * n for n in sizes) / count) / (len(known) - 1)
    return Variances(max(0.0, (apart / (len(known) - 1) - within) / size), within)
