"""Figures that only the engine knows: waiting, cached prompts, preemptions, the KV cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import distribution

_SILENT = "the backend does not report it"


def engine_metrics(pool: Pool) -> dict[str, Metric]:
    """Return what the engine told of each request; null where it does not tell."""
    return {
        "queue_time_s": _told(pool, "queue_time_s", "queue_s", distribution),
        "kv_cache_utilisation": _told(
            pool, "kv_cache_utilisation", "kv_cache_share", lambda x: {"value": max(x)}
        ),
        "prefix_cache_hit_rate": _told(
            pool, "prefix_cache_hit_rate", "cached_tokens", lambda x: _share(x, pool)
        ),
        "preemptions": _told(pool, "preemptions", "preemptions", lambda x: {"value": sum(x)}),
    }


def _told(
    pool: Pool, name: str, field: str, figures: Callable[[list[float]], dict[str, Any]]
) -> Metric:
    told = [request.get(field) for request in pool.requests]
    known = [value for value in told if value is not None]
    if not known or len(known) < len(told):
        return METRICS[name].null(_SILENT)
    return METRICS[name].of(n=len(known), **figures(known))


def _share(cached: list[float], pool: Pool) -> dict[str, Any]:
    return {"value": sum(cached) / sum(request["input_tokens"] for request in pool.requests)}
