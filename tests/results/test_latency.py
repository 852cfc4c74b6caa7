"""Latencies: of answered requests, from when they were due or sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.measure.round import Measurement
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]
NAMES = ("ttft_s", "tpot_s", "itl_s", "e2e_latency_s")


def _requests(found: Measurement) -> list[dict[str, Any]]:
    return [request for r in found.rounds for request in r.requests]


def test_in_an_open_loop_they_count_from_the_schedule(measured: Make) -> None:
    """A second of lateness is in TTFT and E2E, and the anchor says where they begin."""
    plain, found = metrics_of(measured()), measured()
    for request in _requests(found):
        request["scheduled_s"] = request["sent_s"] - 1.0
    metrics = metrics_of(found)
    for name in ("ttft_s", "e2e_latency_s"):
        assert metrics[name].value == pytest.approx(plain[name].value + 1.0)
        assert (plain[name].anchor, metrics[name].anchor) == ("dispatched", "scheduled")
    for name in ("tpot_s", "itl_s"):
        assert metrics[name].value == pytest.approx(plain[name].value)
        assert metrics[name].anchor is None


def test_failed_requests_have_no_latency(measured: Make) -> None:
    """However fast they failed; and they are no part of the energy-delay product."""
    found = measured()
    failed = _requests(found)[0]  # the slowest, of 1.1 s
    failed |= {"error": "HTTP 429", "output_tokens": None, "token_times_s": [], "done_s": 10.001}
    metrics = metrics_of(found)
    assert (metrics["e2e_latency_s"].value, metrics["e2e_latency_s"].n) == (pytest.approx(0.5), 3)
    assert metrics["ttft_s"].n == 3
    assert metrics["edp_request_js"].value == pytest.approx(3 * (0.7 + 0.5 + 0.3) / 3)


def test_where_every_request_failed_there_is_none(measured: Make) -> None:
    """The reason says so."""
    found = measured()
    for request in _requests(found):
        request |= {"error": "HTTP 429", "output_tokens": None, "token_times_s": []}
    metrics = metrics_of(found)
    for name in NAMES:
        assert (metrics[name].value, metrics[name].reason) == (None, "no request was answered")


def test_tokens_that_came_together_count_in_the_time_per_token(measured: Make) -> None:
    """TPOT is by tokens, ITL by pieces."""
    found = measured()
    for request in _requests(found):
        request |= {"token_times_s": [request["sent_s"] + 1, request["sent_s"] + 2],
                    "output_tokens": 5}  # fmt: skip
    metrics = metrics_of(found)
    assert metrics["tpot_s"].value == pytest.approx(0.25)
    assert metrics["itl_s"].value == pytest.approx(1.0)
