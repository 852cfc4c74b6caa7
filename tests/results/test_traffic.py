"""Goodput, failures and the schedule, of rounds made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.measure.round import Measurement
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]
NAMES = ("goodput_req_s", "energy_per_good_request_j", "arrival_rate_req_s", "request_failure_rate")


@pytest.fixture
def served(measured: Make) -> Callable[..., Measurement]:
    """Make the rounds of traffic: 8 J in 2 s and 4 J in 1 s, with counts of each round."""

    def make(
        due: tuple[Any, ...] = (10, 5),
        failed: tuple[Any, ...] = (1, 2),
        good: tuple[Any, ...] = (6, 2),
        engine: tuple[Any, ...] = (None, None),
    ) -> Measurement:
        found: Measurement = measured()
        found.rounds = [
            replace(
                r,
                engine=engine[n],
                work=replace(
                    r.work, due_requests=due[n], failed_requests=failed[n], good_requests=good[n]
                ),
            )
            for n, r in enumerate(found.rounds)
        ]
        return found

    return make


def test_figures_by_hand(served: Make) -> None:
    """Sums over sums: 8 good of 15 in 3 s, 12 J, 3 failed."""
    metrics = metrics_of(served())
    assert metrics["goodput_req_s"].value == pytest.approx(8 / 3)
    assert metrics["energy_per_good_request_j"].value == pytest.approx(12 / 8)
    assert metrics["arrival_rate_req_s"].value == pytest.approx(15 / 3)
    assert metrics["request_failure_rate"].value == pytest.approx(3 / 15)
    assert [metrics[name].n for name in NAMES] == [2, 2, 2, 15]
    assert metrics["energy_per_good_request_j"].tier == "counter"
    assert metrics["goodput_req_s"].u > 0


def test_the_scatter_of_goodput_is_that_of_its_rounds(served: Make) -> None:
    """Equal rates in every round leave none; the unequal ones of 3 and 1.5 a second do."""
    assert metrics_of(served(good=(6, 3)))["goodput_req_s"].u == 0
    assert metrics_of(served(good=(6, 1)))["goodput_req_s"].u > 0


def test_none_that_is_good_is_a_figure(served: Make) -> None:
    """And joules for each of none are not."""
    metrics = metrics_of(served(good=(0, 0)))
    assert (metrics["goodput_req_s"].value, metrics["goodput_req_s"].u) == (0, None)
    assert metrics["energy_per_good_request_j"].value is None
    assert metrics["energy_per_good_request_j"].reason == "no request kept the limits"


@pytest.mark.parametrize("good", [(None, None), (6, None)])
def test_without_limits_in_every_round_there_is_no_goodput(served: Make, good: Any) -> None:
    """The reason names the settings."""
    metrics = metrics_of(served(good=good))
    for name in ("goodput_req_s", "energy_per_good_request_j"):
        assert metrics[name].value is None
        assert metrics[name].reason == (
            "no limits on latency were set (slo.ttft_s, slo.tpot_s, slo.e2e_s)"
        )


def test_goodput_needs_no_meter(served: Make) -> None:
    """Its energy does."""
    found = served()
    found.rounds = [replace(r, energies=[]) for r in found.rounds]
    metrics = metrics_of(found)
    assert metrics["goodput_req_s"].value == pytest.approx(8 / 3)
    assert metrics["energy_per_good_request_j"].reason == "no meter covers this work"


def test_a_batch_has_no_traffic(measured: Make) -> None:
    """It may have limits all the same."""
    metrics = metrics_of(measured())
    for name in ("arrival_rate_req_s", "request_failure_rate"):
        assert (metrics[name].value, metrics[name].reason) == (
            None,
            "this kind of case has no traffic",
        )
    assert metrics["dispatch_lateness_s"].value is None
    found = measured()
    found.rounds = [replace(r, work=replace(r.work, good_requests=1)) for r in found.rounds]
    assert metrics_of(found)["goodput_req_s"].value == pytest.approx(2 / 3)


def test_no_failure_is_a_share_of_zero(served: Make) -> None:
    """It is known; but where nothing was due, there is no share."""
    assert metrics_of(served(failed=(0, 0)))["request_failure_rate"].value == 0
    nothing = metrics_of(served(due=(0, 0), failed=(0, 0)))
    assert nothing["request_failure_rate"].value is None
    assert nothing["arrival_rate_req_s"].value is None


def test_lateness_is_of_requests_with_a_time_of_their_own(served: Make) -> None:
    """From when they were due to when they were sent, pooled over the rounds."""
    found = served()
    late_s = iter([0.1, 0.2, 0.3])
    requests = [request for r in found.rounds for request in r.requests]
    for request in requests[:3]:
        request["scheduled_s"] = request["sent_s"] - next(late_s)
    metric = metrics_of(found)["dispatch_lateness_s"]
    assert (metric.n, metric.value) == (3, pytest.approx(0.2))
    assert metric.p99 > metric.p90 > metric.value


def test_a_closed_loop_has_no_schedule(served: Make) -> None:
    """So nothing in it is late."""
    metric = metrics_of(served())["dispatch_lateness_s"]
    assert (metric.value, metric.reason) == (None, "nothing was due at a time of its own")


def test_what_the_server_tells_is_weighted_by_time(served: Make) -> None:
    """Six requests at work for 2 s and three for 1 s are five on average."""
    metrics = metrics_of(served(engine=({"running": 6.0, "waiting": 0.0}, {"running": 3.0})))
    assert (metrics["requests_running"].value, metrics["requests_running"].n) == (
        pytest.approx(5.0),
        2,
    )
    assert metrics["requests_waiting"].value is None


@pytest.mark.parametrize("engine", [(None, None), ({"running": 6.0}, None), ({"running": 6.0}, {})])
def test_a_server_that_was_silent_in_a_round_is_unknown(served: Make, engine: Any) -> None:
    """Half of the time says nothing of the other."""
    metric = metrics_of(served(engine=engine))["requests_running"]
    assert (metric.value, metric.reason) == (None, "the server does not report it")


def test_prefill_and_decode_are_not_told_apart_in_traffic(served: Make) -> None:
    """The reason is not a setting that would not help."""
    for name in ("prefill_energy_j", "decode_energy_j"):
        metric = metrics_of(served())[name]
        assert metric.value is None
        assert metric.reason == "in traffic, prefill and decode of different requests run together"
