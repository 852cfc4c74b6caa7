"""From a measurement to its metrics: everything is pooled first and divided last."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from statistics import fmean, harmonic_mean
from typing import Any

from pytest_lem.energy.panel import MEASURED
from pytest_lem.energy.reading import TIERS
from pytest_lem.measure.round import Measurement, Round
from pytest_lem.measure.slo import e2e_s
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.engine import engine_metrics
from pytest_lem.results.flops import flop_metrics
from pytest_lem.results.latency import latency_metrics
from pytest_lem.results.net import net_metrics
from pytest_lem.results.pool import Count, Pool
from pytest_lem.results.processes import wait_share
from pytest_lem.results.record import Metric
from pytest_lem.results.sampled import sampled_metrics
from pytest_lem.results.split import split_metrics
from pytest_lem.results.statistics import expanded, root_sum, total
from pytest_lem.results.traffic import traffic_metrics

#: Logarithms beyond are as good as infinite, which no file can hold.
_LARGEST_LOG = 500.0


def metrics_of(
    measurement: Measurement, devices: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Metric]:
    """Return every metric by name; those that have no value carry the reason.

    `devices` are descriptions of boards by UUID.
    """
    pool = Pool(measurement.rounds, on_gpu=measurement.on_gpu)
    found: dict[str, Metric] = {}
    for name, count in _COUNTS.items():
        if name in _ENERGY:
            found[name] = pool.energy_over(name, count)
        else:
            found[name] = pool.rate(name, count)
    found["power_mean_w"] = pool.energy_over("power_mean_w", lambda r: r.window_s)
    found["energy_per_input_token_j"] = _prefill_only(pool)
    found["call_duration_s"] = pool.duration_per_call()
    found |= net_metrics(pool, measurement.phases)
    found |= split_metrics(pool, measurement.phases)
    found |= sampled_metrics(pool)
    found["energy_total_j"] = _total(pool)
    per_token = found["energy_per_output_token_j"]
    found |= flop_metrics(pool, measurement.applied, devices or {}, per_token)
    found |= latency_metrics(pool)
    found |= traffic_metrics(pool)
    found |= engine_metrics(pool)
    found |= _products(pool, found)
    found |= _memory(measurement)
    found["batch_occupancy"] = _occupancy(measurement)
    found["process_wait_share"] = wait_share(pool)
    found["perplexity"] = _perplexity(measurement)
    return {name: found[name] for name in METRICS}


def null_metrics(reason: str) -> dict[str, Metric]:
    """Return every metric without a value, for a case that was not measured."""
    return {name: definition.null(reason) for name, definition in METRICS.items()}


def _total_tokens(r: Round) -> float | None:
    if r.work.input_tokens is None or r.work.output_tokens is None:
        return None
    return r.work.input_tokens + r.work.output_tokens


_COUNTS: dict[str, Count] = {
    "energy_per_output_token_j": lambda r: r.work.output_tokens,
    "energy_per_total_token_j": _total_tokens,
    "energy_per_request_j": lambda r: r.work.requests,
    "energy_per_call_j": lambda r: r.work.calls,
    "energy_per_unit_j": lambda r: r.work.units,
    "output_throughput_tok_s": lambda r: r.work.output_tokens,
    "total_throughput_tok_s": _total_tokens,
    "request_throughput_req_s": lambda r: r.work.requests,
    "unit_throughput_per_s": lambda r: r.work.units,
}
_ENERGY = {name for name in _COUNTS if name.startswith("energy")}


def _total(pool: Pool) -> Metric:
    """Return the joules of all measured domains together; an estimate is never in such a sum."""
    definition = METRICS["energy_total_j"]
    parts = [e for r in pool.rounds for e in r.energies if e.tier in MEASURED]
    if not parts:
        return definition.null("no domain was measured")
    unknown = next((e for e in parts if e.value_j is None), None)
    if unknown is not None:
        return definition.null(f"{unknown.device}: {unknown.reason or 'a meter gave no value'}")
    u_random_j = root_sum([e.u_random_j for e in parts])
    u_systematic_j = total([e.u_systematic_j for e in parts])
    return definition.of(
        sum(e.value_j or 0.0 for e in parts),
        n=len(pool.rounds),
        u=expanded(u_random_j, u_systematic_j),
        tier=max((e.tier for e in parts), key=TIERS.index),
        domains=sorted({e.domain for e in parts}),
    )


def _prefill_only(pool: Pool) -> Metric:
    """Return energy per prompt token where nothing but the prefill was in the windows."""
    is_seen = pool.requests or not any(r.work.output_tokens for r in pool.rounds)
    if not is_seen or any(r["output_tokens"] != 1 for r in pool.requests):
        reason = "decode was in the windows too; measure with workload.output_tokens: 1"
        return METRICS["energy_per_input_token_j"].null(reason)
    return pool.energy_over("energy_per_input_token_j", lambda r: r.work.input_tokens)


def _products(pool: Pool, found: dict[str, Metric]) -> dict[str, Metric]:
    """Return the energy-delay products; their uncertainty is that of the energy alone."""
    per_request = found["energy_per_request_j"]
    request = METRICS["edp_request_js"].null(per_request.reason or "there are no requests")
    if per_request.value is not None and pool.answered:
        delay_s = fmean(e2e_s(request) for request in pool.answered)
        request = METRICS["edp_request_js"].of(
            per_request.value * delay_s,
            n=per_request.n,
            u=None if per_request.u is None else per_request.u * delay_s,
            tier=pool.tier,
            domains=pool.domains,
        )
    power = found["power_mean_w"]
    run = METRICS["edp_run_js"].null(power.reason or "there are no rounds")
    if power.value is not None:
        window_s = sum(r.window_s for r in pool.rounds)
        run = METRICS["edp_run_js"].of(
            power.value * window_s**2,
            n=power.n,
            u=None if power.u is None else power.u * window_s**2,
            tier=pool.tier,
            domains=pool.domains,
        )
    return {"edp_request_js": request, "edp_run_js": run}


def _memory(measurement: Measurement) -> dict[str, Metric]:
    peaks = {
        "peak_host_memory_bytes": measurement.peak_host_memory_bytes,
        "peak_device_memory_bytes": measurement.peak_device_memory_bytes,
    }
    return {
        name: METRICS[name].null("not known for this kind of case or device")
        if value is None
        else METRICS[name].of(value, n=len(measurement.rounds))
        for name, value in peaks.items()
    }


def _perplexity(measurement: Measurement) -> Metric:
    definition, score = METRICS["perplexity"], measurement.score
    if score is None:
        return definition.null("not asked for (quality.perplexity)")
    if score.nats is None:
        return definition.null("this backend does not tell how likely its model finds a text")
    return definition.of(exp(min(score.nats / score.tokens, _LARGEST_LOG)), n=score.tokens)


def _occupancy(measurement: Measurement) -> Metric:
    """Return how full the batches were: requests that ran together over the largest batch."""
    definition = METRICS["batch_occupancy"]
    largest = measurement.applied.get("batch_size")
    if not largest:
        return definition.null("the engine does not tell, or this kind of case has no batches")
    batches = [request["batch"] for r in measurement.rounds for request in r.requests]
    return definition.of(harmonic_mean(batches) / largest, n=len(batches))
