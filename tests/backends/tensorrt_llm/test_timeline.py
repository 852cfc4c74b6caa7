"""From outputs to requests, where the engine tells less than it could."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.tensorrt_llm.streamed import Answer
from pytest_lem.backends.tensorrt_llm.timeline import requests_of

PROMPT = [1] * 40


def answer(
    span: tuple[int, int] | None = None,
    *,
    reused: int | None = None,
    times_s: tuple[float, float] | None = None,
    events: tuple[tuple[float, int], ...] = ((1.0, 1), (2.0, 3)),
    **told: Any,
) -> Answer:
    """Return the answer of an engine, with what it measured of it."""
    measured = SimpleNamespace(
        first_iter=span and span[0],
        last_iter=span and span[1],
        kv_cache_metrics=None if reused is None else SimpleNamespace(num_reused_blocks=reused),
        timing_metrics=times_s
        and SimpleNamespace(
            arrival_time=timedelta(seconds=times_s[0]),
            first_scheduled_time=timedelta(seconds=times_s[1]),
        ),
    )
    ids = list(range(events[-1][1]))
    output = SimpleNamespace(token_ids=ids, length=len(ids), request_perf_metrics=measured)
    return Answer(0.5, list(events), SimpleNamespace(outputs=[output], **told))


def requests(*answers: Answer, tokens_per_block: int | None = 32) -> list[Request]:
    """Turn answers into requests."""
    prompts = [PROMPT] * len(answers)
    return requests_of(prompts, answers, tokens_per_block=tokens_per_block, is_streaming=True)


def test_tokens_are_counted_by_difference() -> None:
    """All of them come each time; those that are new have the time of that event."""
    (found,) = requests(answer(events=((1.0, 2), (2.0, 2), (3.0, 3), (4.0, 6))))

    assert found.token_times_s == [1.0, 1.0, 3.0, 4.0, 4.0, 4.0]
    assert (found.token_ids, found.done_s) == ([0, 1, 2, 3, 4, 5], 4.0)


@pytest.mark.parametrize(
    ("spans", "batches"),
    [
        ([(1, 5), (1, 5)], [2, 2]),
        ([(1, 5), (6, 9)], [1, 1]),
        ([(1, 5), (5, 9), (9, 9)], [2, 2, 2]),
        ([(1, 9), (2, 3), (3, 4), (8, 9)], [3, 3, 3, 2]),
        ([(1, 5), None], [None, None]),
        ([], []),
    ],
)
def test_the_batch_is_the_most_that_shared_a_step(
    spans: list[tuple[int, int] | None], batches: list[int | None]
) -> None:
    """By the first and last step of each; where one does not tell, none is known."""
    assert [r.batch for r in requests(*map(answer, spans))] == batches


@pytest.mark.parametrize(
    ("told", "queue_s"),
    [
        ({"metrics_dict": {SimpleNamespace(value="request_queue_time").value: 0.25}}, 0.25),
        ({"metrics_dict": {}, "times_s": (3.0, 3.5)}, 0.5),
        ({"metrics_dict": None, "times_s": (3.0, 3.0)}, 0.0),
        ({"times_s": (3.0, 0.0)}, None),
        ({"times_s": (3.0, 2.0)}, None),
        ({}, None),
    ],
)
def test_the_wait_in_the_queue_is_known_or_null(
    told: dict[str, Any], queue_s: float | None
) -> None:
    """A request that was never scheduled, or before it came, has no wait; that is not 0."""
    assert requests(answer(**told))[0].queue_s == queue_s


@pytest.mark.parametrize(
    ("told", "cached"),
    [
        ({"cached_tokens": 7}, 7),
        ({"cached_tokens": 7, "reused": 1}, 7),
        ({"cached_tokens": 0}, None),
        ({"cached_tokens": 0, "reused": 0}, 0),
        ({"reused": 1}, 32),
        ({"reused": 2}, 40),
        ({}, None),
    ],
)
def test_cached_tokens_are_known_or_null(told: dict[str, Any], cached: int | None) -> None:
    """The engine's 0 may mean that it does not know; blocks of the cache tell."""
    assert requests(answer(**told))[0].cached_tokens == cached


def test_blocks_of_unknown_size_tell_nothing() -> None:
    """Unless there were none."""
    found = requests(answer(reused=1), answer(reused=0), tokens_per_block=None)

    assert [r.cached_tokens for r in found] == [None, 0]


def test_an_engine_without_metrics_is_counted_all_the_same() -> None:
    """What it does not measure is null."""
    output = SimpleNamespace(token_ids=[5, 6], length=2)
    bare = Answer(0.5, [(1.0, 2)], SimpleNamespace(outputs=[output]))
    (found,) = requests(bare)

    assert (found.output_tokens, found.reported_tokens) == (2, 2)
    assert (found.batch, found.queue_s, found.cached_tokens) == (None, None, None)
