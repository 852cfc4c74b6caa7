"""Latencies of stored requests, by the same formulas as those of measured ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_lem.measure import slo
from pytest_lem.results.record import RequestRecord


def ttft_s(request: RequestRecord) -> float | None:
    """Return the time to the first token; None without streaming."""
    return slo.ttft_s(_measured(request))


def tpot_s(request: RequestRecord) -> float | None:
    """Return the time per token after the first; None for one token, or without streaming."""
    return slo.tpot_s(_measured(request))


def e2e_s(request: RequestRecord) -> float:
    """Return the time to the last token."""
    return slo.e2e_s(_measured(request))


def known(
    of: Callable[[RequestRecord], float | None], requests: list[RequestRecord]
) -> list[float]:
    """Return a latency of those requests that have it."""
    return [value for request in requests if (value := of(request)) is not None]


def _measured(request: RequestRecord) -> dict[str, Any]:
    """Return a request by the names that it has before it is stored."""
    return {
        "scheduled_s": request.scheduled,
        "sent_s": request.sent,
        "token_times_s": request.token_times,
        "output_tokens": request.output_tokens,
        "done_s": request.done,
    }
