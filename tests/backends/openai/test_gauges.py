"""Pages of metrics as servers write them, and what is known of them."""

from __future__ import annotations

import pytest

from pytest_lem.backends.openai.gauges import gauges_in

VLLM = """\
# HELP python_gc_objects_collected_total Objects collected during gc
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 11045.0
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="HuggingFaceTB/SmolLM2-135M-Instruct"} 6.0
vllm:num_requests_running{engine="1",model_name="HuggingFaceTB/SmolLM2-135M-Instruct"} 4.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 800.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7538e+09
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 96.0
# HELP vllm:num_preemptions_total Cumulative number of preemption from the engine.
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{engine="0",model_name="m"} 3.0
vllm:num_preemptions_created{engine="0",model_name="m"} 1.7538e+09
# HELP vllm:request_queue_time_seconds Histogram of time spent in WAITING phase for request.
# TYPE vllm:request_queue_time_seconds histogram
vllm:request_queue_time_seconds_bucket{engine="0",le="0.3",model_name="m"} 40.0
vllm:request_queue_time_seconds_bucket{engine="0",le="+Inf",model_name="m"} 41.0
vllm:request_queue_time_seconds_count{engine="0",model_name="m"} 41.0
vllm:request_queue_time_seconds_sum{engine="0",model_name="m"} 1.5
"""
SGLANG = """\
# HELP sglang:token_usage The token usage
# TYPE sglang:token_usage gauge
sglang:token_usage{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.28
# HELP sglang:num_running_reqs The number of running requests
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 162.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2826.0
# HELP sglang:cache_hit_rate The cache hit rate
# TYPE sglang:cache_hit_rate gauge
sglang:cache_hit_rate{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.007507552643049313
# HELP sglang:prompt_tokens_total Number of prefill tokens processed.
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 8000.0
# HELP sglang:cached_tokens_total Number of cached prompt tokens by source (device/host/storage).
# TYPE sglang:cached_tokens_total counter
sglang:cached_tokens_total{cache_source="device",model_name="meta-llama/Llama-3.1-8B"} 1500.0
sglang:cached_tokens_total{cache_source="host",model_name="meta-llama/Llama-3.1-8B"} 500.0
"""
LLAMA_CPP = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 120
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 3
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 1
# HELP llamacpp:kv_cache_usage_ratio KV-cache usage. 1 means 100 percent usage.
# TYPE llamacpp:kv_cache_usage_ratio gauge
llamacpp:kv_cache_usage_ratio nan
"""
TGI = """\
# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 12
# TYPE tgi_queue_size gauge
tgi_queue_size 5
# TYPE tgi_request_duration summary
tgi_request_duration{quantile="0.5"} NaN
tgi_request_duration_sum 3.25
tgi_request_duration_count 9
# TYPE tgi_request_queue_duration histogram
tgi_request_queue_duration_bucket{le="0.1"} 8
tgi_request_queue_duration_bucket{le="+Inf"} 9
tgi_request_queue_duration_sum 0.75
tgi_request_queue_duration_count 9
"""
#: vLLM 0.8, whose names some later releases have beside the new ones.
EARLIER_VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m"} 3.0
# HELP vllm:gpu_cache_usage_perc GPU KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc{model_name="m"} 0.75
# HELP vllm:gpu_prefix_cache_queries_total GPU prefix cache queries, in queried blocks.
# TYPE vllm:gpu_prefix_cache_queries_total counter
vllm:gpu_prefix_cache_queries_total{model_name="m"} 50.0
vllm:gpu_prefix_cache_queries_created{model_name="m"} 1.7538e+09
# HELP vllm:gpu_prefix_cache_hits_total GPU prefix cache hits, in terms of cached blocks.
# TYPE vllm:gpu_prefix_cache_hits_total counter
vllm:gpu_prefix_cache_hits_total{model_name="m"} 6.0
"""
TRITON = """\
# HELP nv_inference_pending_request_count Instantaneous number of pending requests
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="ensemble",version="1"} 0
nv_inference_pending_request_count{model="tensorrt_llm",version="1"} 1
# HELP nv_trt_llm_request_metrics TRT LLM request metrics
# TYPE nv_trt_llm_request_metrics gauge
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 3
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="context",version="1"} 1
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 4
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="active",version="1"} 7
# HELP nv_trt_llm_kv_cache_block_metrics TRT LLM KV cache block metrics
# TYPE nv_trt_llm_kv_cache_block_metrics gauge
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="tensorrt_llm"} 0.4875
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm"} 3041
"""
KNOWN = {
    "vllm": {
        "running": 10.0,
        "waiting": 2.0,
        "kv_cache_share": 0.5,
        "prefix_queries": 800.0,
        "prefix_hits": 96.0,
        "preemptions": 3.0,
        "queue_s": 1.5,
        "queued": 41.0,
    },
    "vllm 0.8": {
        "running": 3.0,
        "kv_cache_share": 0.75,
        "prefix_queries": 50.0,
        "prefix_hits": 6.0,
    },
    "sglang": {
        "running": 162.0,
        "waiting": 2826.0,
        "kv_cache_share": 0.28,
        "prefix_queries": 8000.0,
        "prefix_hits": 2000.0,
    },
    "llama.cpp": {"running": 3.0, "waiting": 1.0},
    "tgi": {"running": 12.0, "waiting": 5.0, "queue_s": 0.75, "queued": 9.0},
    "triton": {"running": 4.0, "waiting": 3.0, "kv_cache_share": 0.4875},
}
PAGES = {
    "vllm": VLLM,
    "vllm 0.8": EARLIER_VLLM,
    "sglang": SGLANG,
    "llama.cpp": LLAMA_CPP,
    "tgi": TGI,
    "triton": TRITON,
}


@pytest.mark.parametrize("server", PAGES)
def test_each_server_is_understood_by_its_own_names(server: str) -> None:
    """Engines of one server are summed, but for shares; what is not a number is left out."""
    assert gauges_in(PAGES[server]) == KNOWN[server]


@pytest.mark.parametrize("page", [VLLM + EARLIER_VLLM, EARLIER_VLLM + VLLM])
def test_what_stands_under_two_names_counts_once(page: str) -> None:
    """Under the later one, wherever that stands."""
    assert gauges_in(page) == {**KNOWN["vllm"], "running": 13.0}


def test_a_page_without_comments_is_read_as_well() -> None:
    """The names alone say what is meant."""
    page = "\n".join(line for line in VLLM.splitlines() if not line.startswith("#"))
    assert gauges_in(page) == KNOWN["vllm"]


@pytest.mark.parametrize("page", ["", "\n", "# nothing\n", "process_cpu_seconds_total 3.5\n"])
def test_what_is_not_known_is_left_out(page: str) -> None:
    """And is not 0."""
    assert gauges_in(page) == {}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_a_value_that_is_none_is_left_out(value: str) -> None:
    """What is told on must be JSON, which knows no such numbers."""
    page = f"vllm:num_requests_running {value}\nvllm:num_requests_waiting 1\n"
    assert gauges_in(page) == {"waiting": 1.0}


@pytest.mark.parametrize(
    "page",
    [
        "<html><body>Not found</body></html>",
        '{"error": "no metrics"}',
        "vllm:num_requests_running many\n",
        'vllm:num_requests_running{engine="0} 3\n',
    ],
)
def test_what_is_no_page_of_metrics_is_an_error(page: str) -> None:
    """The one that the connection knows to expect."""
    with pytest.raises(ValueError):
        gauges_in(page)
