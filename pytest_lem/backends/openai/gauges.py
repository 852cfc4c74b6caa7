"""What servers tell of themselves in Prometheus' text format, under one name for each thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite

#: What each server calls it. Several series of one name, as of several engines, are summed, but
#: for shares, of which the largest counts. Names of an engine within a server are told apart by a
#: label, whose value is written behind them.
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
    # SGLang: https://docs.sglang.ai/references/production_metrics.html. Its cache_hit_rate is that
    # of the last prefill; these counters are of all requests, the second from the first hit on.
    "sglang:num_running_reqs": "running",
    "sglang:num_queue_reqs": "waiting",
    "sglang:token_usage": "kv_cache_share",
    "sglang:prompt_tokens_total": "prefix_queries",
    "sglang:cached_tokens_total": "prefix_hits",
    # llama-server with --metrics: tools/server/README.md of llama.cpp
    "llamacpp:requests_processing": "running",
    "llamacpp:requests_deferred": "waiting",
    "llamacpp:kv_cache_usage_ratio": "kv_cache_share",
    # TGI: https://huggingface.co/docs/text-generation-inference/reference/metrics
    "tgi_batch_current_size": "running",
    "tgi_queue_size": "waiting",
    "tgi_request_queue_duration_sum": "queue_s",
    "tgi_request_queue_duration_count": "queued",
    # Triton with TensorRT-LLM: README.md of its tensorrtllm_backend, "Triton Metrics". With vLLM it
    # has vLLM's names. Its own nv_inference_* count requests before an engine has them.
    "nv_trt_llm_request_metrics/scheduled": "running",
    "nv_trt_llm_request_metrics/waiting": "waiting",
    "nv_trt_llm_kv_cache_block_metrics/fraction": "kv_cache_share",
}
#: Names of earlier releases, some of which have both: they count where the others are missing.
_EARLIER_NAMES = {
    # vLLM until 0.11: https://docs.vllm.ai/en/v0.8.5/serving/metrics.html
    "vllm:gpu_cache_usage_perc": "kv_cache_share",
    "vllm:gpu_prefix_cache_queries_total": "prefix_queries",
    "vllm:gpu_prefix_cache_hits_total": "prefix_hits",
}
_LABELS = {
    "nv_trt_llm_request_metrics": "request_type",
    "nv_trt_llm_kv_cache_block_metrics": "kv_cache_block_type",
}
_LARGEST = frozenset({"kv_cache_share"})


def gauges_in(text: str) -> dict[str, float]:
    """Return what is known of a page of metrics; ValueError for one that is no such page."""
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[float]] = {}
    earlier: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not isfinite(sample.value):  # a mean of nothing yet is NaN
                continue
            if name := _NAMES.get(_full_name(sample.name, sample.labels)):
                values.setdefault(name, []).append(float(sample.value))
            elif name := _EARLIER_NAMES.get(sample.name):
                earlier.setdefault(name, []).append(float(sample.value))
    return {name: _together(name)(found) for name, found in {**earlier, **values}.items()}


def _full_name(name: str, labels: Mapping[str, str]) -> str:
    label = _LABELS.get(name)
    return f"{name}/{labels.get(label)}" if label else name


def _together(name: str) -> Callable[[Iterable[float]], float]:
    return max if name in _LARGEST else sum
