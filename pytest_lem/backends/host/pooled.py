"""Answers of several processes to one request, made into one; rank 0 is the first of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

Answer = Mapping[str, Any]
_PEAKS = ("peak_host_memory_bytes", "peak_device_memory_bytes")


def prepared(answers: Sequence[Answer]) -> dict[str, Any]:
    """Count what each process has taken over."""
    counts = [answer["input_tokens"] for answer in answers]
    return {
        "input_tokens": None if None in counts else sum(counts),
        "requests": sum(answer["requests"] for answer in answers),
    }


def ran(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the window: it begins with the first process and ends with the last."""
    return {
        "start_s": min(answer["start_s"] for answer in answers),
        "end_s": max(answer["end_s"] for answer in answers),
    }


def collected(
    answers: Sequence[Answer], facts: Sequence[Answer], stamps: Sequence[Answer]
) -> dict[str, Any]:
    """Return all requests in the order of the workload, and what each process did by itself.

    `facts` are what is known of each process, `stamps` when each of them began and ended. Memory is
    the sum over the processes, so that what they share counts for each.
    """
    entries = [_entry(*of) for of in zip(answers, facts, stamps, strict=True)]
    return {
        **answers[0],
        **{name: _sum([answer[name] for answer in answers]) for name in _PEAKS},
        "requests": list(_in_order([answer["requests"] for answer in answers])),
        "processes": entries,
    }


def _entry(answer: Answer, facts: Answer, stamps: Answer) -> dict[str, Any]:
    """Return the raw entry of one process."""
    requests = answer["requests"]
    return {
        **{name: facts[name] for name in ("rank", "pid", "device")},
        "start_s": stamps["start_s"],
        "end_s": stamps["end_s"],
        "busy_s": sum(_busy_s(batch) for batch in _batches(requests)),
        "requests": len(requests),
        "input_tokens": _sum([request["input_tokens"] for request in requests]),
        "output_tokens": sum(request["output_tokens"] for request in requests),
        **{name: answer[name] for name in _PEAKS},
    }


def _in_order(requests: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the requests of each batch, the shares of the processes one after the other.

    Together they are the batch that ran.
    """
    for shares in zip(*map(_batches, requests), strict=True):
        size = sum(map(len, shares))
        for rank, share in enumerate(shares):
            for request in share:
                yield {**request, "rank": rank, "batch": size}


def _batches(requests: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Part the requests of a process into those that were sent together."""
    return [list(sent) for _, sent in groupby(requests, key=lambda request: request["sent_s"])]


def _busy_s(batch: Sequence[Answer]) -> float:
    return float(max(request["done_s"] for request in batch) - batch[0]["sent_s"])


def _sum(values: Sequence[int | None]) -> int | None:
    """Return the sum; None as soon as one value is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
