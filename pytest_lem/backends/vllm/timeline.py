"""From the steps of an engine to what became of each request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.vllm.engine import Outcome


@dataclass(slots=True)
class _Parts:
    """What came for one request: tokens with their times, and the last output."""

    tokens: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    last: Any = None
    done_s: float = 0.0


def requests_of(
    prompts: Sequence[list[int]], outcome: Outcome, *, is_streaming: bool
) -> list[Request]:
    """Return the requests of a batch in the order of their prompts."""
    found = [_Parts() for _ in prompts]
    for step in outcome.steps:
        for output in step.outputs:
            _add(found[int(output.request_id.partition("-")[0])], step.time_s, output)
    # Requests whose first token has one time stamp of the engine had it in one step.
    together = Counter(parts.last.metrics.first_token_ts for parts in found)
    requests = []
    for ids, sent_s, parts in zip(prompts, outcome.sent_s, found, strict=True):
        told = parts.last.metrics
        own = [seen for seen in outcome.occupancies if sent_s <= seen.time_s <= parts.done_s]
        requests.append(
            Request(
                input_tokens=len(ids),
                token_ids=parts.tokens,
                reported_tokens=told.num_generation_tokens,
                sent_s=sent_s,
                token_times_s=parts.times_s if is_streaming else [],
                done_s=parts.done_s,
                batch=max([together[told.first_token_ts], *(seen.running for seen in own)]),
                queue_s=told.scheduled_ts - told.queued_ts,
                cached_tokens=parts.last.num_cached_tokens,
                preemptions=told.num_preemptions,
                kv_cache_share=max((seen.kv_cache_share for seen in own), default=None),
            )
        )
    return requests


def _add(parts: _Parts, time_s: float, output: Any) -> None:
    tokens = list(output.outputs[0].token_ids)
    parts.tokens += tokens
    parts.times_s += [time_s] * len(tokens)
    parts.last, parts.done_s = output, time_s
