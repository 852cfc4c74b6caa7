"""From the events of a stream to what became of each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pytest_lem.backends.llama_cpp.tokenizer import UNTOLD
from pytest_lem.backends.protocol import Request

#: Gives the ids of a text, of which the last and their number are known.
IdsOfPart = Callable[..., list[int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The events of a batch in their order, when each was there if that was noted, and its edges.

    The engine sends them in the order in which things happen, from one thread.
    """

    requests: int
    events: Sequence[bytes]
    times_s: Sequence[float]
    sent_s: float
    done_s: float


@dataclass(slots=True)
class _Parts:
    """What is known of one request so far; `batch` is 0 until its prompt is begun."""

    tokens: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    begun_s: float | None = None
    batch: int = 0
    last: dict[str, Any] = field(default_factory=dict)
    done_s: float | None = None


def requests_of(outcome: Outcome, ids_of_part: IdsOfPart) -> list[Request]:
    """Return the requests of a batch in the order of their prompts."""
    found = [_Parts() for _ in range(outcome.requests)]
    running: set[int] = set()
    for chunk, time_s in zip_longest(outcome.events, outcome.times_s):
        event = json.loads(chunk)["__verbose"]
        index = event["index"]
        if "prompt_progress" in event:
            _begin(found, running, index, time_s)
            continue
        _add(found[index], event, time_s, ids_of_part)
        if event["stop"]:
            running.remove(index)
            found[index].last, found[index].done_s = event, time_s
    return [_request(parts, outcome) for parts in found]


def _begin(found: list[_Parts], running: set[int], index: int, time_s: float | None) -> None:
    """Note that the first part of a prompt is put into a step.

    All that run are in that step too, since they generate or go on with their prompts, and later
    steps have no more than these until another prompt is begun.
    """
    if found[index].batch:
        return
    found[index].begun_s = time_s
    running.add(index)
    for other in running:
        found[other].batch = max(found[other].batch, len(running))


def _add(
    parts: _Parts, event: dict[str, Any], time_s: float | None, ids_of_part: IdsOfPart
) -> None:
    """Add the tokens of an event; those that were held back are there when they are told."""
    count = event["tokens_predicted"] - len(parts.tokens)
    if event["tokens"]:
        parts.tokens += ids_of_part(event["content"], count=count, last=event["tokens"][-1])
    else:
        parts.tokens += [UNTOLD] * count
    if time_s is not None:
        parts.times_s += [time_s] * count


def _request(parts: _Parts, outcome: Outcome) -> Request:
    return Request(
        input_tokens=parts.last["tokens_evaluated"],
        token_ids=parts.tokens,
        reported_tokens=parts.last["timings"]["predicted_n"],
        sent_s=outcome.sent_s,
        token_times_s=parts.times_s,
        done_s=outcome.done_s if parts.done_s is None else parts.done_s,
        batch=parts.batch,
        queue_s=None if parts.begun_s is None else parts.begun_s - outcome.sent_s,
        cached_tokens=parts.last["timings"]["cache_n"],
    )
