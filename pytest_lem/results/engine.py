"""Figures that only the engine knows: waiting, cached prompts, preemptions, the KV cache.

An engine in the host process tells them of each request, a server of all together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import distribution

_SILENT = "the backend does not report it"

Figures = dict[str, Any]


def engine_metrics(pool: Pool) -> dict[str, Metric]:
    """Return what the engine told; null where it does not tell."""
    told = {
        "queue_time_s": _told(pool, "queue_s", distribution) or _ratio(pool, "queue_s", "queued"),
        "kv_cache_utilisation": _told(pool, "kv_cache_share", lambda x: {"value": max(x)})
        or _of_server(pool, "kv_cache_share", max),
        "prefix_cache_hit_rate": _cached(pool) or _ratio(pool, "prefix_hits", "prefix_queries"),
        "preemptions": _told(pool, "preemptions", lambda x: {"value": sum(x)})
        or _of_server(pool, "preemptions", sum),
    }
    return {
        name: METRICS[name].of(**figures) if figures else METRICS[name].null(_SILENT)
        for name, figures in told.items()
    }


def _told(pool: Pool, field: str, figures: Callable[[list[float]], Figures]) -> Figures | None:
    told = [request.get(field) for request in pool.answered]
    known = [value for value in told if value is not None]
    if not known or len(known) < len(told):
        return None
    return {"n": len(known), **figures(known)}


def _cached(pool: Pool) -> Figures | None:
    lengths = [request["input_tokens"] for request in pool.answered]
    if None in lengths or not sum(lengths):
        return None
    return _told(pool, "cached_tokens", lambda cached: {"value": sum(cached) / sum(lengths)})


def _of_server(
    pool: Pool, gauge: str, together: Callable[[Sequence[float]], float]
) -> Figures | None:
    """Return a figure of the windows; None unless each of them has it."""
    found = [(r.engine or {}).get(gauge) for r in pool.rounds]
    known = [value for value in found if value is not None]
    if not known or len(known) < len(found):
        return None
    return {"value": together(known), "n": len(known)}


def _ratio(pool: Pool, above: str, below: str) -> Figures | None:
    """Return how much one counter grew for each step of another."""
    over, under = _of_server(pool, above, sum), _of_server(pool, below, sum)
    if over is None or under is None or not under["value"]:
        return None
    return {"value": over["value"] / under["value"], "n": round(under["value"])}
