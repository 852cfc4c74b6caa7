"""The stand-in has the names of the real API, by the lists that TensorRT-LLM keeps it stable by.

They are in its repository, under `tests/unittest/api_stability`, here in the state of release 1.2;
the fields of the configurations are those of `llmapi/llm_args.py` at that time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

LLM_ARGS = """
model tokenizer tokenizer_mode skip_tokenizer_init trust_remote_code tensor_parallel_size dtype
revision tokenizer_revision pipeline_parallel_size context_parallel_size moe_tensor_parallel_size
moe_expert_parallel_size enable_lora lora_config batched_logits_processor guided_decoding_backend
speculative_config max_batch_size max_input_len max_seq_len max_beam_width max_num_tokens
load_format enable_chunked_prefill kv_cache_config stream_interval gpus_per_node
moe_cluster_parallel_size enable_attention_dp cp_config iter_stats_max_iterations
request_stats_max_iterations return_perf_metrics peft_cache_config scheduler_config
cache_transceiver_config gather_generation_logits num_postprocess_workers
postprocess_tokenizer_dir reasoning_parser fail_fast_on_attention_window_too_large
garbage_collection_gen0_threshold backend build_config cuda_graph_config attention_dp_config
checkpoint_loader checkpoint_format mm_encoder_only disable_overlap_scheduler moe_config
attn_backend sampler_type enable_iter_perf_stats enable_iter_req_stats batch_wait_timeout_ms
batch_wait_timeout_iters batch_wait_max_tokens_ratio print_iter_log perf_metrics_max_requests
torch_compile_config enable_autotuner enable_layerwise_nvtx_marker enable_min_latency
force_dynamic_quantization allreduce_strategy decoding_config kv_connector_config
enable_lm_head_tp_in_adp orchestrator_type sparse_attention_config ray_worker_extension_cls
"""
SAMPLING = """
end_id pad_id max_tokens bad bad_token_ids stop stop_token_ids include_stop_str_in_output
embedding_bias logits_processor apply_batched_logits_processor n best_of use_beam_search top_k
top_p top_p_min top_p_reset_ids top_p_decay seed temperature min_tokens
beam_search_diversity_rate repetition_penalty presence_penalty frequency_penalty length_penalty
early_stopping no_repeat_ngram_size min_p beam_width_array logprobs prompt_logprobs
return_context_logits return_generation_logits exclude_input_from_output return_encoder_output
return_perf_metrics additional_model_outputs lookahead_config guided_decoding ignore_eos detokenize
add_special_tokens truncate_prompt_tokens skip_special_tokens spaces_between_special_tokens
"""
FIELDS = {
    "KvCacheConfig": """
        enable_block_reuse max_tokens max_attention_window sink_token_length
        free_gpu_memory_fraction host_cache_size onboard_blocks cross_kv_cache_fraction
        secondary_offload_min_priority event_buffer_max_size attention_dp_events_gather_period_ms
        enable_partial_reuse copy_on_partial_reuse use_uvm max_gpu_total_bytes dtype
        mamba_ssm_cache_dtype tokens_per_block""",
    "CudaGraphConfig": "batch_sizes max_batch_size enable_padding",
    "SchedulerConfig": "capacity_scheduler_policy context_chunking_policy dynamic_batch_config",
    "QuantConfig": """
        quant_algo kv_cache_quant_algo group_size smoothquant_val clamp_val use_meta_recipe
        has_zero_point pre_quant_scale exclude_modules mamba_ssm_cache_dtype""",
    "TorchLlmArgs": LLM_ARGS,
}
#: Defaults on which the backend counts.
DEFAULTS = {
    "KvCacheConfig": {"enable_block_reuse": True, "dtype": "auto", "tokens_per_block": 32},
    "TorchLlmArgs": {
        "max_batch_size": 2048, "max_num_tokens": 8192, "stream_interval": 1,
        "attn_backend": "TRTLLM", "return_perf_metrics": False, "dtype": "auto",
    },
}  # fmt: skip
OUTPUT = """
index text token_ids cumulative_logprob logprobs prompt_logprobs finish_reason stop_reason
generation_logits additional_context_outputs additional_generation_outputs disaggregated_params
request_perf_metrics
"""


@pytest.fixture
def llmapi(model: Path) -> Any:
    """Return the module of the API."""
    import tensorrt_llm.llmapi

    return tensorrt_llm.llmapi


@pytest.mark.parametrize("name", FIELDS)
def test_configurations_have_these_fields_and_no_others(llmapi: Any, name: str) -> None:
    """What is not listed is refused, as by the real ones."""
    config = getattr(llmapi, name)

    assert set(config.model_fields) == set(FIELDS[name].split())
    assert config.model_config["extra"] == "forbid"
    found = {field: config.model_fields[field].default for field in DEFAULTS.get(name, {})}
    assert found == DEFAULTS.get(name, {})


def test_the_sampling_of_a_request_has_these_fields_by_name(llmapi: Any) -> None:
    """All are keywords; without any, decoding is greedy and ends after 32 tokens."""
    params = llmapi.SamplingParams
    kinds = {p.kind for p in inspect.signature(params).parameters.values()}

    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
    assert {field.name for field in dataclasses.fields(params)} == set(SAMPLING.split())
    assert (params().max_tokens, params().temperature, params().top_p) == (32, None, None)
    with pytest.raises(TypeError, match="unexpected keyword"):
        params(max_new_tokens=3)


def test_the_engine_takes_these_arguments(llmapi: Any) -> None:
    """Nine have places of their own, the others are those of `TorchLlmArgs`."""
    start = list(inspect.signature(llmapi.LLM).parameters)
    send = list(inspect.signature(llmapi.LLM.generate_async).parameters)

    assert start == [*LLM_ARGS.split()[:9], "kwargs"]
    assert send == [
        "self", "inputs", "sampling_params", "lora_request", "prompt_adapter_request", "streaming",
        "kv_cache_retention_config", "disaggregated_params", "scheduling_params", "cache_salt",
    ]  # fmt: skip


def test_an_answer_has_these_fields(llmapi: Any) -> None:
    """Those of the constructor, and what is counted from them."""
    listed = [f.name for f in dataclasses.fields(llmapi.CompletionOutput) if f.init]

    assert set(listed) == set(OUTPUT.split())
    assert {"length", "token_ids_diff"} <= set(dir(llmapi.CompletionOutput))
    assert {"abort", "aborted", "aresult"} <= set(dir(llmapi.RequestOutput))


@pytest.mark.parametrize("name", ["max_new_things", "quant_config"])
def test_the_engine_refuses_what_it_does_not_take(llmapi: Any, model: Path, name: str) -> None:
    """A quantisation is for the engine of old: with PyTorch it comes with the checkpoint."""
    with pytest.raises(ValueError, match=name):
        llmapi.LLM(model=model, **{name: None})


def test_outputs_are_cumulative(llmapi: Any, model: Path) -> None:
    """One object comes back each time, and has all tokens; the metrics come with the last."""
    params = llmapi.SamplingParams(max_tokens=5, ignore_eos=True)

    async def events(llm: Any) -> list[tuple[int, int, bool]]:
        request = llm.generate_async([72, 105], params, streaming=True)
        return [
            (id(part), part.outputs[0].length, part.outputs[0].request_perf_metrics is None)
            async for part in request
        ]

    with llmapi.LLM(model=model, return_perf_metrics=True) as llm:
        found = asyncio.run(events(llm))

    assert len({identity for identity, _, _ in found}) == 1
    assert [(n, is_bare) for _, n, is_bare in found] == [
        (1, True), (2, True), (3, True), (4, True), (5, False),
    ]  # fmt: skip
