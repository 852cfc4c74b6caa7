"""Limits on the latency of a request, and the latencies themselves. Times are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What a good request keeps, all of it; None is no limit."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    @property
    def is_set(self) -> bool:
        """Tell whether there is any limit."""
        return (self.ttft_s, self.tpot_s, self.e2e_s) != (None, None, None)

    def is_met_by(self, request: Mapping[str, Any]) -> bool:
        """Tell whether a request was answered within every limit.

        A latency that it does not have, as TPOT of a single token, breaks no limit; one that is not
        known, because the answer was not streamed, is not within it.
        """
        if request["error"] is not None:
            return False
        has_one = (request["output_tokens"] or 0) <= 1
        return (
            _is_within(self.ttft_s, ttft_s(request))
            and (has_one or _is_within(self.tpot_s, tpot_s(request)))
            and _is_within(self.e2e_s, e2e_s(request))
        )


def due_s(request: Mapping[str, Any]) -> float:
    """Return when a request was due: scheduled by an open loop, else sent."""
    scheduled: float | None = request["scheduled_s"]
    return float(request["sent_s"]) if scheduled is None else scheduled


def ttft_s(request: Mapping[str, Any]) -> float | None:
    """Return the time to the first token; None without streaming."""
    times = request["token_times_s"]
    return times[0] - due_s(request) if times else None


def tpot_s(request: Mapping[str, Any]) -> float | None:
    """Return the time per token after the first; None for one token, or without streaming."""
    times, tokens = request["token_times_s"], request["output_tokens"] or 0
    return (times[-1] - times[0]) / (tokens - 1) if times and tokens > 1 else None


def e2e_s(request: Mapping[str, Any]) -> float:
    """Return the time to the last token."""
    return float(request["done_s"]) - due_s(request)


def _is_within(limit_s: float | None, value_s: float | None) -> bool:
    return limit_s is None or (value_s is not None and value_s <= limit_s)
