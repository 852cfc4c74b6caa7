"""What servers tell of themselves in Prometheus' text format, under one name for each thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite

#: What each server calls it. Several series of one name, as of several engines, are summed, but
#: for shares, of which the largest counts.
_NAMES = {
    # vLLM: https://docs.vllm.ai/en/latest/usage/metrics.html
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_share",
    "vllm:num_preemptions_total": "preemptions",
    "vllm:prefix_cache_queries_total": "prefix_queries",
    "vllm:prefix_cache_hits_total": "prefix_hits",
    "vllm:request_queue_time_seconds_sum": "queue_s",
    "vllm:request_queue_time_seconds_count": "queued",
    # SGLang: https://docs.sglang.ai/references/production_metrics.html
    "sglang:num_running_reqs": "running",
    "sglang:num_queue_reqs": "waiting",
    "sglang:token_usage": "kv_cache_share",
    # llama-server with --metrics: tools/server/README.md of llama.cpp
    "llamacpp:requests_processing": "running",
    "llamacpp:requests_deferred": "waiting",
    "llamacpp:kv_cache_usage_ratio": "kv_cache_share",
    # TGI: https://huggingface.co/docs/text-generation-inference/reference/metrics
    "tgi_batch_current_size": "running",
    "tgi_queue_size": "waiting",
}
_LARGEST = frozenset({"kv_cache_share"})


def gauges_in(text: str) -> dict[str, float]:
    """Return what is known of a page of metrics; ValueError for one that is no such page."""
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = _NAMES.get(sample.name)
            if name and isfinite(sample.value):  # a mean of nothing yet is NaN
                values.setdefault(name, []).append(float(sample.value))
    return {name: _together(name)(found) for name, found in values.items()}


def _together(name: str) -> Callable[[Iterable[float]], float]:
    return max if name in _LARGEST else sum
