"""The paired test: is side B worse than side A, beyond what is allowed, where they took turns?

What is tested are the logarithms of B over A, one for each pair of windows. What the machine does
slowly is in both windows of a pair and cancels. What a load of a model does (where its memory came
to lie, which kernels were chosen) is in every window of that load: pairs come in groups, one for
each pair of loads, and a change counts only when fresh loads show it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from math import sqrt
from statistics import median, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from pytest_lem.gate.variance import variances

#: How often an unchanged figure may be flagged by the first stage.
FLAG_ALPHA = 0.05
#: How often a suite without any change may alarm, over all of its figures and both stages.
SUITE_ALPHA = 0.025
#: How often a change has to be found for it to count as found.
_POWER = 0.8
#: What sums of the same numbers in another order may differ by.
_ROUNDING = 1e-12


@dataclass(frozen=True)  # no slots: what is worked out is kept
class Pairs:
    """Logarithms of B over A, one for each pair, grouped by the loads that they ran on."""

    groups: Sequence[Sequence[float]]

    @cached_property
    def logs(self) -> list[float]:
        """Return all of them."""
        return list(chain.from_iterable(self.groups))

    @cached_property
    def middle(self) -> float:
        """Return the Hodges-Lehmann estimate: the median of the Walsh averages."""
        return median(_walsh(self.logs))

    @property
    def scatter(self) -> float:
        """Return the scatter of one window, as a share: a pair has that of two."""
        return stdev(self.logs) / sqrt(2)

    @cached_property
    def load_scatter(self) -> float | None:
        """Return how loads scatter, as a share, beyond their windows; None with a single pair."""
        parts = variances(self.groups)
        return None if parts is None else sqrt(parts.between / 2)

    @cached_property
    def error(self) -> float:
        """Return the standard error of the mean, with what loads add to it."""
        parts = variances(self.groups)
        if parts is None:
            return stdev(self.logs) / sqrt(len(self.logs))
        return sqrt(parts.within / len(self.logs) + parts.between / len(self.groups))


def p_value(worsenings: Sequence[float], allowed: float) -> float:
    """Return how likely so large a mean worsening is, were the true one just what is allowed.

    One-sided and exact: under that assumption each difference has either sign with the same
    probability, so all sign patterns are counted (Fisher, The Design of Experiments, section 21).
    """
    beyond = np.asarray(worsenings) - allowed
    half = len(beyond) // 2
    left, right = _signed_sums(beyond[:half]), np.sort(_signed_sums(beyond[half:]))
    least = beyond.sum() - _ROUNDING * max(1.0, np.abs(beyond).sum())
    as_large = len(right) - np.searchsorted(right, least - left)
    return float(as_large.sum() / 2.0 ** len(beyond))


def level_of_second(figures: int) -> float:
    """Return the level of the second stage, for so many gated figures in a suite."""
    return min(1.0, SUITE_ALPHA / (max(1, figures) * FLAG_ALPHA))


def interval(pairs: Pairs, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the change: two Walsh averages, by the exact signed-rank distribution.

    Hollander and Wolfe, Nonparametric Statistical Methods, section 3.3. With too few pairs for the
    confidence it is the whole range.
    """
    walsh = sorted(_walsh(pairs.logs))
    cut, _ = signed_rank_cut(len(pairs.logs), (1 - confidence) / 2)
    return walsh[cut], walsh[-1 - cut]


def least_found(allowed: float, pairs: Pairs, *, figures: int) -> float:
    """Return the least worsening of the logarithm that is found in four of five suites.

    By Student's t at the stricter of the two levels, close to the exact test.
    """
    alpha = min(FLAG_ALPHA, level_of_second(figures))
    degrees = len(pairs.logs) - 1
    quantiles = stdtrit(degrees, 1 - alpha) + stdtrit(degrees, _POWER)
    return allowed + float(quantiles) * pairs.error


def signed_rank_cut(n: int, tail: float) -> tuple[int, float]:
    """Return how many Walsh averages of `n` lie outside at each end, and the probability there."""
    ways = [1]
    for rank in range(1, n + 1):
        shifted = [0] * rank + ways
        ways = [a + b for a, b in zip([*ways, *[0] * rank], shifted, strict=True)]
    below = [count / 2**n for count in accumulate(ways)]
    cut = max((k for k, probability in enumerate(below) if probability <= tail), default=0)
    return cut, below[cut]


def _walsh(values: Sequence[float]) -> list[float]:
    return [(a + b) / 2 for n, a in enumerate(values) for b in values[n:]]


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over every pattern of signs, shaped (2 ** len(values),)."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
