"""What traffic adds: goodput, failures, and whether it was as asked for."""

from __future__ import annotations

from pytest_lem.measure.round import Round
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import distribution, expanded, ratio_scatter

_NO_LIMITS = "no limits on latency were set (slo.ttft_s, slo.tpot_s, slo.e2e_s)"
_NO_TRAFFIC = "this kind of case has no traffic"
_SILENT = "the server does not report it"


def traffic_metrics(pool: Pool) -> dict[str, Metric]:
    """Return the metrics of traffic, and of limits on latency, which offline batches have too."""
    return {
        "goodput_req_s": _goodput(pool),
        "energy_per_good_request_j": _energy_per_good_request(pool),
        "arrival_rate_req_s": _arrival_rate(pool),
        "dispatch_lateness_s": _lateness(pool),
        "request_failure_rate": _failure_rate(pool),
        "requests_running": _told(pool, "requests_running", "running"),
        "requests_waiting": _told(pool, "requests_waiting", "waiting"),
    }


def _goodput(pool: Pool) -> Metric:
    """Return good requests per second; none at all is a figure too."""
    definition = METRICS["goodput_req_s"]
    good = _good(pool)
    if good is None:
        return definition.null(_NO_LIMITS)
    windows = [r.window_s for r in pool.rounds]
    return definition.of(
        sum(good) / sum(windows),
        n=len(good),
        u=expanded(ratio_scatter(good, windows)) if sum(good) else None,
    )


def _energy_per_good_request(pool: Pool) -> Metric:
    name = "energy_per_good_request_j"
    good = _good(pool)
    if good is None:
        return METRICS[name].null(_NO_LIMITS)
    if not sum(good):
        return METRICS[name].null("no request kept the limits")
    return pool.energy_over(name, lambda r: r.work.good_requests)


def _good(pool: Pool) -> list[float] | None:
    """Return the good requests of each round; None without limits, or without rounds."""
    counts = [r.work.good_requests for r in pool.rounds]
    known = [float(count) for count in counts if count is not None]
    return known if known and len(known) == len(counts) else None


def _arrival_rate(pool: Pool) -> Metric:
    name = "arrival_rate_req_s"
    if _due(pool) is None:
        return METRICS[name].null(_NO_TRAFFIC)
    return pool.rate(name, lambda r: r.work.due_requests)


def _due(pool: Pool) -> list[int] | None:
    """Return the requests that were due in each round; None without traffic."""
    due = [r.work.due_requests for r in pool.rounds if r.work.due_requests is not None]
    return due if due and len(due) == len(pool.rounds) else None


def _lateness(pool: Pool) -> Metric:
    definition = METRICS["dispatch_lateness_s"]
    late_s = [
        request["sent_s"] - request["scheduled_s"]
        for request in pool.requests
        if request["scheduled_s"] is not None
    ]
    if not late_s:
        return definition.null("nothing was due at a time of its own")
    return definition.of(n=len(late_s), **distribution(late_s))


def _failure_rate(pool: Pool) -> Metric:
    definition = METRICS["request_failure_rate"]
    due = _due(pool)
    if due is None:
        return definition.null(_NO_TRAFFIC)
    if not sum(due):
        return definition.null("no request was due in the windows")
    failed = sum(r.work.failed_requests or 0 for r in pool.rounds)
    return definition.of(failed / sum(due), n=sum(due))


def _told(pool: Pool, name: str, gauge: str) -> Metric:
    """Return the mean of a gauge over the windows; null unless each of them has it."""
    found = [(_gauge(r, gauge), r.window_s) for r in pool.rounds]
    known = [(value, window_s) for value, window_s in found if value is not None]
    if not known or len(known) < len(found):
        return METRICS[name].null(_SILENT)
    weight = sum(window_s for _, window_s in known)
    return METRICS[name].of(sum(value * w for value, w in known) / weight, n=len(known))


def _gauge(r: Round, gauge: str) -> float | None:
    return (r.engine or {}).get(gauge)
