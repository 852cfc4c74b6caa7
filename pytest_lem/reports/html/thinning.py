"""Long series as few points, in which every peak is still there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import floor
from typing import Any

Points = tuple[list[float], list[float]]


def thin(times: Sequence[float], values: Sequence[float], buckets: int) -> Points:
    """Return the smallest and the largest sample of each of so many equal stretches of time.

    They keep their times and their order; so does the first sample, and the last one. A series
    that has no more than two samples a stretch comes back whole.
    """
    import numpy as np

    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    is_known = ~np.isnan(y)
    x, y = x[is_known], y[is_known]
    if len(x) > 2 * buckets:
        kept = _extremes(x, y, buckets)
        x, y = x[kept], y[kept]
    return x.tolist(), y.tolist()


def _extremes(x: Any, y: Any, buckets: int) -> list[int]:
    """Return the places of the samples that stay."""
    import numpy as np

    span = x[-1] - x[0]
    if span <= 0:  # all at one moment
        return sorted({0, int(y.argmin()), int(y.argmax()), len(x) - 1})
    stretch = np.minimum((x - x[0]) / span * buckets, buckets - 1).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(x)]
    kept = {0, len(x) - 1}
    for first, end in pairwise(edges):
        part = y[first:end]
        kept |= {first + int(part.argmin()), first + int(part.argmax())}
    return sorted(kept)


def broken(points: Points, gaps: Sequence[Sequence[float]]) -> tuple[list[float], list[Any]]:
    """Return points with a None in each gap, so that no line is drawn over it."""
    x: list[float] = []
    y: list[Any] = []
    left = [((a + b) / 2) for a, b in gaps]
    for time, value in zip(*points, strict=True):
        while left and left[0] < time:
            middle = left.pop(0)
            if x:
                x.append(middle)
                y.append(None)
        x.append(time)
        y.append(value)
    return x, y


def stretches(
    times: Sequence[float], is_on: Sequence[bool], least: float
) -> list[tuple[float, float]]:
    """Return from when to when something was on; pauses shorter than `least` do not show."""
    found: list[tuple[float, float]] = []
    for i, (time, on) in enumerate(zip(times, is_on, strict=True)):
        if not on:
            continue
        end = times[i + 1] if i + 1 < len(times) else time
        if found and time - found[-1][1] <= least:
            found[-1] = (found[-1][0], end)
        else:
            found.append((time, end))
    return found


def steps(values: Sequence[float], most: int) -> Points:
    """Return the empirical distribution of values: each with the share that is not above it.

    Of more than `most` values only so many are taken, evenly by rank, the least and the largest
    among them.
    """
    ranked = sorted(values)
    count = len(ranked)
    if count <= most:
        places = list(range(count))
    else:
        places = sorted({floor(i * (count - 1) / (most - 1)) for i in range(most)})
    return [ranked[i] for i in places], [(i + 1) / count for i in places]
