"""What TensorRT-LLM can be told, in the names of `LLM` and of the configurations it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pytest_lem.backends.option import HubOptions, option

Policy = Literal["GUARANTEED_NO_EVICT", "MAX_UTILIZATION", "STATIC_BATCH"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtLlmOptions(HubOptions):
    """Settings of TensorRT-LLM. Null is its own choice, but for what a description says."""

    tensor_parallel_size: int = option(1, "Devices that share each layer.", [], on_gpu=[1, 2], ge=1)
    pipeline_parallel_size: int = option(
        1, "Groups of devices that hold successive layers.", [], on_gpu=[1, 2], ge=1
    )
    max_batch_size: int | None = option(
        None,
        "Most requests in a step; null: the largest batch that shares the load.",
        [],
        on_gpu=[4],
        ge=1,
    )
    max_seq_len: int | None = option(
        None, "Longest prompt with its output.", [], on_gpu=[256], ge=1
    )
    max_num_tokens: int | None = option(None, "Most tokens in a step.", [], on_gpu=[512], ge=1)
    enable_chunked_prefill: bool | None = option(
        None,
        "Cut long prompts so that decoding goes on between the parts; without it no prompt is "
        "longer than `max_num_tokens`.",
        [],
        on_gpu=[True, False],
    )
    capacity_scheduler_policy: Policy | None = option(
        None,
        "Of `SchedulerConfig`: which requests may begin; with `MAX_UTILIZATION` some are paused "
        "when the KV cache is full.",
        [],
        on_gpu=["GUARANTEED_NO_EVICT", "MAX_UTILIZATION"],
    )
    disable_overlap_scheduler: bool | None = option(
        None, "Do not prepare a step while the one before still runs.", [], on_gpu=[True, False]
    )
    enable_block_reuse: bool = option(
        False,
        "Of `KvCacheConfig`: reuse the cache of a prompt's beginning; with it, repeated prompts "
        "cost next to nothing.",
        [],
        on_gpu=[False, True],
    )
    free_gpu_memory_fraction: float | None = option(
        None,
        "Of `KvCacheConfig`: share of the memory that is free after loading for the KV cache.",
        [],
        on_gpu=[0.5],
        gt=0,
        le=1,
    )
    tokens_per_block: int | None = option(
        None, "Of `KvCacheConfig`: tokens in a block of the KV cache.", [], on_gpu=[64], ge=1
    )
    kv_cache_dtype: str = option(
        "auto",
        "`dtype` of `KvCacheConfig`; `auto`: what the checkpoint says, else the type of the model.",
        [],
        on_gpu=["auto", "fp8"],
    )
    kv_cache_config: dict[str, Any] | None = option(
        None, "Further fields of `KvCacheConfig`.", [], on_gpu=[{"max_tokens": 8192}]
    )
    cuda_graph_config: dict[str, Any] | Literal[False] | None = option(
        None,
        "Fields of `CudaGraphConfig`; false captures no graphs.",
        [],
        on_gpu=[False, {"enable_padding": True}],
    )
    attn_backend: str | None = option(
        None, "Implementation of the attention.", [], on_gpu=["TRTLLM", "FLASHINFER", "VANILLA"]
    )
    load_format: Literal["auto", "dummy"] = option(
        "auto", "How weights are read; `dummy` makes them up.", [], on_gpu=["auto", "dummy"]
    )
    stream_interval: int = option(
        1,
        "Steps between two events of a request; above 1, several tokens share one time stamp.",
        [],
        on_gpu=[1, 4],
        ge=1,
    )
    llm_args: dict[str, Any] | None = option(
        None, "Further arguments of `LLM`.", [], on_gpu=[{"enable_autotuner": False}]
    )

    @property
    def workers(self) -> int:
        """Return how many devices take part."""
        return self.tensor_parallel_size * self.pipeline_parallel_size
