"""Latencies: of every request that was answered, pooled over the rounds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from pytest_lem.measure.slo import e2e_s, tpot_s, ttft_s
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import distribution

#: Those that count from when a request was sent, or due.
_ANCHORED = frozenset({"ttft_s", "e2e_latency_s"})


def latency_metrics(pool: Pool) -> dict[str, Metric]:
    """Return the latencies; null where nothing has them."""
    if not pool.requests:
        reason = "this kind of case has no requests"
        return {name: METRICS[name].null(reason) for name in _SAMPLES}
    return {name: _latency(name, pool) for name in _SAMPLES}


def _latency(name: str, pool: Pool) -> Metric:
    samples = [x for request in pool.answered for x in _SAMPLES[name](request)]
    if not pool.answered:
        return METRICS[name].null("no request was answered")
    if not samples:
        return METRICS[name].null("needs streaming and, but for TTFT, more than one token")
    is_scheduled = any(request["scheduled_s"] is not None for request in pool.answered)
    anchor = "scheduled" if is_scheduled else "dispatched"
    return METRICS[name].of(
        n=len(samples), anchor=anchor if name in _ANCHORED else None, **distribution(samples)
    )


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _gaps(request: dict[str, Any]) -> list[float]:
    return [after - before for before, after in pairwise(request["token_times_s"])]


_SAMPLES: dict[str, Callable[[dict[str, Any]], list[float]]] = {
    "ttft_s": lambda request: _known(ttft_s(request)),
    "tpot_s": lambda request: _known(tpot_s(request)),
    "itl_s": _gaps,
    "e2e_latency_s": lambda request: [e2e_s(request)],
}
