"""What an engine told of itself while a window was open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

#: Those of now, of which the mean counts, or the largest.
_MEANS = ("running", "waiting")
_LARGEST = ("kv_cache_share",)
#: Those that only grow, of which the growth counts.
_COUNTERS = ("preemptions", "prefix_queries", "prefix_hits", "queue_s", "queued")

Looks = Sequence[Mapping[str, float]]


def engine_between(looks: Looks, start_s: float, end_s: float) -> dict[str, float] | None:
    """Return what looks at an engine say of the time between; None where nothing was seen.

    Counters grow from the last look before the start to the last one before the end.
    """
    inside = [look for look in looks if start_s <= look["time_s"] < end_s]
    if not inside:
        return None
    found = {}
    for name in (*_MEANS, *_LARGEST):
        if values := [look[name] for look in inside if name in look]:
            found[name] = max(values) if name in _LARGEST else fmean(values)
    first = next((look for look in reversed(looks) if look["time_s"] < start_s), inside[0])
    for name in _COUNTERS:
        if name in first and name in inside[-1]:
            found[name] = inside[-1][name] - first[name]
    return found
