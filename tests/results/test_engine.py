"""What engines tell: of each request, or as a server of all together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.measure.round import Measurement
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]
ENGINE = (
    {
        "queue_s": 3.0,
        "queued": 10.0,
        "kv_cache_share": 0.5,
        "prefix_hits": 10.0,
        "prefix_queries": 100.0,
        "preemptions": 1.0,
    },
    {
        "queue_s": 1.0,
        "queued": 6.0,
        "kv_cache_share": 0.75,
        "prefix_hits": 40.0,
        "prefix_queries": 100.0,
        "preemptions": 2.0,
    },
)
NAMES = {
    "queue_time_s": 4 / 16,
    "kv_cache_utilisation": 0.75,
    "prefix_cache_hit_rate": 50 / 200,
    "preemptions": 3.0,
}


def _with(found: Measurement, *engine: Any) -> Measurement:
    found.rounds = [replace(r, engine=e) for r, e in zip(found.rounds, engine, strict=True)]
    return found


def _requests(found: Measurement) -> list[dict[str, Any]]:
    return [request for r in found.rounds for request in r.requests]


def test_figures_of_a_server_by_hand(measured: Make) -> None:
    """Ratios of sums, sums, and the largest share."""
    metrics = metrics_of(_with(measured(), *ENGINE))
    assert {name: metrics[name].value for name in NAMES} == pytest.approx(NAMES)
    assert metrics["queue_time_s"].n == 16
    assert metrics["queue_time_s"].p99 is None


def test_nothing_that_was_not_told_is_zero(measured: Make) -> None:
    """Neither without a server nor where it was silent in one of the rounds."""
    for engine in ((None, None), (ENGINE[0], None), (ENGINE[0], {})):
        metrics = metrics_of(_with(measured(), *engine))
        for name in NAMES:
            assert (metrics[name].value, metrics[name].reason) == (
                None,
                "the backend does not report it",
            )


def test_a_counter_that_stood_still_gives_no_ratio(measured: Make) -> None:
    """No prompt was looked up, and no request queued; no preemption is a figure."""
    still = dict.fromkeys(ENGINE[0], 0.0)
    metrics = metrics_of(_with(measured(), still, still))
    assert metrics["queue_time_s"].value is None
    assert metrics["prefix_cache_hit_rate"].value is None
    assert (metrics["preemptions"].value, metrics["kv_cache_utilisation"].value) == (0, 0)


def test_what_is_told_of_each_request_goes_first(measured: Make) -> None:
    """It is of these requests alone; 5 of 20 prompt tokens came from the cache."""
    found = _with(measured(), *ENGINE)
    for request, cached in zip(_requests(found), (5, 0, 0, 0), strict=True):
        request |= {"cached_tokens": cached, "queue_s": 0.1, "preemptions": 0}
    metrics = metrics_of(found)
    assert metrics["prefix_cache_hit_rate"].value == pytest.approx(5 / 20)
    assert (metrics["queue_time_s"].value, metrics["queue_time_s"].n) == (pytest.approx(0.1), 4)
    assert metrics["preemptions"].value == 0


def test_what_is_told_of_some_requests_is_not_told(measured: Make) -> None:
    """Failed ones tell nothing, and are not asked."""
    found = measured()
    for request in _requests(found)[1:]:
        request |= {"queue_s": 0.1}
    assert metrics_of(found)["queue_time_s"].value is None
    _requests(found)[0] |= {"error": "HTTP 500", "output_tokens": None}
    assert metrics_of(found)["queue_time_s"].n == 3


def test_a_share_of_prompts_of_unknown_length_is_unknown(measured: Make) -> None:
    """The server said how much was cached, and not of how much."""
    found = measured()
    for request in _requests(found):
        request |= {"cached_tokens": 2}
    _requests(found)[0]["input_tokens"] = None
    assert metrics_of(found)["prefix_cache_hit_rate"].value is None
