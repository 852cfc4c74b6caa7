"""Figures from pooled raw samples: percentiles, and ratios of sums with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

#: Expanded uncertainties are this many standard uncertainties.
COVERAGE = 2.0
_PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the percentile by linear interpolation between the order statistics."""
    ordered = sorted(samples)
    spot = share * (len(ordered) - 1)
    low = int(spot)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (spot - low)


def distribution(samples: Sequence[float]) -> dict[str, float]:
    """Return median and percentiles of samples, under the names of a metric's fields."""
    shares = {name: percentile(samples, share) for name, share in _PERCENTILES.items()}
    return {"value": shares["p50"], **shares}


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the ratio of the sums; the denominators' sum must not be 0."""
    return sum(numerators) / sum(denominators)


def ratio_scatter(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Return the standard error of the ratio of sums from its scatter over rounds.

    The usual linearisation of a ratio estimator (Cochran, Sampling Techniques, 6.4). None for a
    single round, which has no scatter.
    """
    n = len(numerators)
    if n < 2:  # noqa: PLR2004 - two points are the least that scatter
        return None
    r = ratio(numerators, denominators)
    squares = sum((a - r * b) ** 2 for a, b in zip(numerators, denominators, strict=True))
    return sqrt(squares / (n * (n - 1))) / (sum(denominators) / n)


def total(values: Sequence[float | None]) -> float | None:
    """Return the sum; None as soon as one value is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def root_sum(values: Sequence[float | None]) -> float | None:
    """Return the root of the sum of squares; None as soon as one value is unknown."""
    squares = total([None if value is None else value * value for value in values])
    return None if squares is None else sqrt(squares)


def expanded(*standard: float | None) -> float | None:
    """Combine independent standard uncertainties and expand; None as soon as one is unknown."""
    combined = root_sum(standard)
    return None if combined is None else COVERAGE * combined
