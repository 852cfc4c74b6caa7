"""From the events of an engine to what became of each request."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.tensorrt_llm.streamed import Answer

#: Under this name the library tells how long a request waited, in seconds.
_QUEUE = "request_queue_time"


def requests_of(
    prompts: Sequence[list[int]],
    answers: Sequence[Answer],
    *,
    tokens_per_block: int | None,
    is_streaming: bool,
) -> list[Request]:
    """Return the requests of a batch in the order of their prompts."""
    together = _together([_iterations(answer.output) for answer in answers])
    return [
        Request(
            input_tokens=len(ids),
            token_ids=list(answer.output.outputs[0].token_ids),
            reported_tokens=answer.output.outputs[0].length,
            sent_s=answer.sent_s,
            token_times_s=_times(answer.events) if is_streaming else [],
            done_s=answer.events[-1][0],
            batch=batch,
            queue_s=_queue_s(answer.output),
            cached_tokens=_cached_tokens(answer.output, len(ids), tokens_per_block),
        )
        for ids, answer, batch in zip(prompts, answers, together, strict=True)
    ]


def _times(events: Sequence[tuple[float, int]]) -> list[float]:
    """Return a time for each token: that of the event in which it was first there."""
    times: list[float] = []
    for time_s, count in events:
        times += [time_s] * (count - len(times))
    return times


def _metrics(output: Any, part: str) -> Any:
    """Return a part of what the engine measured of a request; None where it is not told."""
    found = getattr(output.outputs[0], "request_perf_metrics", None)
    return getattr(found, part, None)


def _iterations(output: Any) -> tuple[int, int] | None:
    """Return the first and the last step of the engine that made a token of a request."""
    first, last = _metrics(output, "first_iter"), _metrics(output, "last_iter")
    return None if first is None or last is None else (first, last)


def _together(spans: Sequence[tuple[int, int] | None]) -> list[int | None]:
    """Return, for each request, the most of all that made a token in one step with it."""
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return [None] * len(spans)
    firsts, lasts = sorted(first for first, _ in known), sorted(last for _, last in known)
    at_step = {step: bisect_right(firsts, step) - bisect_left(lasts, step) for step in set(firsts)}
    return [
        max(count for step, count in at_step.items() if first <= step <= last)
        for first, last in known
    ]


def _queue_s(output: Any) -> float | None:
    """Return how long a request waited before the engine took it up."""
    for name, value in (getattr(output, "metrics_dict", None) or {}).items():
        if getattr(name, "value", name) == _QUEUE:
            return float(value)
    timing = _metrics(output, "timing_metrics")
    if timing is None or not timing.first_scheduled_time:
        return None
    waited_s = (timing.first_scheduled_time - timing.arrival_time).total_seconds()
    return waited_s if waited_s >= 0 else None


def _cached_tokens(output: Any, input_tokens: int, tokens_per_block: int | None) -> int | None:
    """Return the tokens of the prompt that were not computed.

    The library says 0 for what it does not know too, so 0 counts only where it also tells of the
    blocks of the KV cache.
    """
    told = getattr(output, "cached_tokens", None)
    blocks = getattr(_metrics(output, "kv_cache_metrics"), "num_reused_blocks", None)
    if told:
        return int(told)
    if blocks is None or (blocks and tokens_per_block is None):
        return None
    return min(int(blocks) * (tokens_per_block or 0), input_tokens)
