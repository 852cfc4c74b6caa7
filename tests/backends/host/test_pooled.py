"""Answers of several processes made into one."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.backends.host.pooled import collected, prepared, ran


def request(number: int, sent_s: float, done_s: float) -> dict[str, Any]:
    """Return a request as a process tells of it."""
    return {
        "token_ids": [number],
        "input_tokens": 5,
        "output_tokens": 1,
        "sent_s": sent_s,
        "done_s": done_s,
        "batch": 1,
    }


def answer(*requests: dict[str, Any], host: int | None = 10) -> dict[str, Any]:
    """Return what a process answers about a window."""
    return {
        "requests": list(requests),
        "text": "a",
        "looks": [],
        "peak_host_memory_bytes": host,
        "peak_device_memory_bytes": None,
    }


def whole(*answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers pooled, of processes that were there from 0 to 9 s."""
    facts = [{"rank": n, "pid": n, "device": "cpu"} for n in range(len(answers))]
    return collected(answers, facts, [{"start_s": 0.0, "end_s": 9.0}] * len(answers))


def test_the_window_ends_with_the_last() -> None:
    """It begins with the first process and ends when all are done."""
    stamps = [{"start_s": 2.0, "end_s": 5.0}, {"start_s": 1.5, "end_s": 4.0}]
    assert ran(stamps) == {"start_s": 1.5, "end_s": 5.0}


@pytest.mark.parametrize(("other", "total"), [(4, 7), (None, None)])
def test_what_each_has_taken_is_summed(other: int | None, total: int | None) -> None:
    """A length that one of them does not know makes the sum unknown, not smaller."""
    answers = [{"input_tokens": 3, "requests": 2}, {"input_tokens": other, "requests": 1}]
    assert prepared(answers) == {"input_tokens": total, "requests": 3}


def test_requests_stand_in_the_order_of_the_workload() -> None:
    """Batch by batch, in each the shares by rank; a batch is all that ran together."""
    first = answer(request(1, 0.0, 2.0), request(2, 0.0, 1.0), request(4, 3.0, 4.0))
    second = answer(request(3, 0.1, 2.5), request(5, 3.1, 5.0))
    found = whole(first, second)
    told = [(r["token_ids"], r["rank"], r["batch"]) for r in found["requests"]]
    assert told == [([1], 0, 3), ([2], 0, 3), ([3], 1, 3), ([4], 0, 2), ([5], 1, 2)]


def test_each_process_keeps_what_it_did() -> None:
    """Busy is the time of its batches, each from sending to its last request."""
    found = whole(
        answer(request(1, 0.0, 2.0), request(2, 0.0, 1.0), request(4, 3.0, 4.0)),
        answer(request(3, 0.0, 2.5), request(5, 3.0, 5.0), host=5),
    )
    assert [p["busy_s"] for p in found["processes"]] == [3.0, 4.5]
    assert [p["requests"] for p in found["processes"]] == [3, 2]
    assert (found["peak_host_memory_bytes"], found["peak_device_memory_bytes"]) == (15, None)


def test_batches_that_do_not_match_are_an_error() -> None:
    """A process that has run another number of batches is not pooled with the others."""
    with pytest.raises(ValueError, match="zip"):
        whole(answer(request(1, 0.0, 1.0)), answer())
