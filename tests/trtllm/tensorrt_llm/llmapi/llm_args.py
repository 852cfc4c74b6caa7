"""What `LLM` can be told. Nothing that is not listed here can be."""

from __future__ import annotations

from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    create_model,
    field_validator,
    model_validator,
)


class Strict(BaseModel):
    """A model that forbids what it does not know."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class CapacitySchedulerPolicy(StrEnum):
    """Which requests may begin."""

    MAX_UTILIZATION = "MAX_UTILIZATION"
    GUARANTEED_NO_EVICT = "GUARANTEED_NO_EVICT"
    STATIC_BATCH = "STATIC_BATCH"


class LoadFormat(Enum):
    """How weights are read."""

    AUTO = 0
    DUMMY = 1
    VISION_ONLY = 2


class QuantAlgo(StrEnum):
    """Some of the kinds of quantisation."""

    FP8 = "FP8"
    FP8_BLOCK_SCALES = "FP8_BLOCK_SCALES"
    NVFP4 = "NVFP4"
    W4A16_AWQ = "W4A16_AWQ"


class KvCacheConfig(Strict):
    """The KV cache."""

    enable_block_reuse: bool = True
    max_tokens: int | None = None
    max_attention_window: list[int] | None = None
    sink_token_length: int | None = None
    free_gpu_memory_fraction: float | None = Field(default=0.9, ge=0, le=1)
    host_cache_size: int | None = None
    onboard_blocks: bool = True
    cross_kv_cache_fraction: float | None = None
    secondary_offload_min_priority: int | None = None
    event_buffer_max_size: int = 0
    attention_dp_events_gather_period_ms: int = 5
    enable_partial_reuse: bool = True
    copy_on_partial_reuse: bool = True
    use_uvm: bool = False
    max_gpu_total_bytes: int = 0
    dtype: str = "auto"
    mamba_ssm_cache_dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    tokens_per_block: int = 32


class CudaGraphConfig(Strict):
    """Which graphs are captured."""

    batch_sizes: list[int] | None = None
    max_batch_size: int = Field(default=0, ge=0)
    enable_padding: bool = False


class SchedulerConfig(Strict):
    """How requests are put into steps."""

    capacity_scheduler_policy: CapacitySchedulerPolicy = CapacitySchedulerPolicy.GUARANTEED_NO_EVICT
    context_chunking_policy: str | None = None
    dynamic_batch_config: Any = None


class QuantConfig(Strict):
    """The quantisation of a checkpoint."""

    quant_algo: QuantAlgo | None = None
    kv_cache_quant_algo: QuantAlgo | None = None
    group_size: int = 128
    smoothquant_val: float = 0.5
    clamp_val: list[float] | None = None
    use_meta_recipe: bool = False
    has_zero_point: bool = False
    pre_quant_scale: bool = False
    exclude_modules: list[str] | None = None
    mamba_ssm_cache_dtype: str | None = None


#: Arguments that mean nothing to a chain of characters, with their defaults.
_IGNORED = {
    "tokenizer": None, "tokenizer_mode": "auto", "skip_tokenizer_init": False, "dtype": "auto",
    "revision": None, "tokenizer_revision": None, "moe_tensor_parallel_size": None,
    "moe_expert_parallel_size": None, "moe_cluster_parallel_size": None, "enable_lora": False,
    "lora_config": None, "batched_logits_processor": None, "guided_decoding_backend": None,
    "speculative_config": None, "max_input_len": 1024, "max_beam_width": 1, "gpus_per_node": None,
    "enable_attention_dp": False, "cp_config": None, "iter_stats_max_iterations": None,
    "request_stats_max_iterations": None, "peft_cache_config": None,
    "cache_transceiver_config": None, "gather_generation_logits": False,
    "num_postprocess_workers": 0, "postprocess_tokenizer_dir": None, "reasoning_parser": None,
    "fail_fast_on_attention_window_too_large": False, "garbage_collection_gen0_threshold": 20000,
    "backend": "pytorch", "build_config": None, "attention_dp_config": None,
    "checkpoint_loader": None, "checkpoint_format": None, "mm_encoder_only": False,
    "moe_config": None, "sampler_type": "auto", "enable_iter_perf_stats": False,
    "enable_iter_req_stats": False, "batch_wait_timeout_ms": 0, "batch_wait_timeout_iters": 0,
    "batch_wait_max_tokens_ratio": 0, "print_iter_log": False, "perf_metrics_max_requests": 0,
    "torch_compile_config": None, "enable_autotuner": True, "enable_layerwise_nvtx_marker": False,
    "enable_min_latency": False, "force_dynamic_quantization": False, "allreduce_strategy": "AUTO",
    "decoding_config": None, "kv_connector_config": None, "enable_lm_head_tp_in_adp": False,
    "orchestrator_type": None, "sparse_attention_config": None, "ray_worker_extension_cls": None,
}  # fmt: skip
_Ignored = create_model(
    "_Ignored", __base__=Strict, **{name: (Any, default) for name, default in _IGNORED.items()}
)


class TorchLlmArgs(_Ignored):  # type: ignore[misc, valid-type]
    """The arguments of `LLM`."""

    model: str | Path
    trust_remote_code: bool = False
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    context_parallel_size: int = 1
    max_batch_size: int | None = 2048
    max_seq_len: int | None = None
    max_num_tokens: int | None = 8192
    load_format: str | LoadFormat = LoadFormat.AUTO
    enable_chunked_prefill: bool = False
    kv_cache_config: KvCacheConfig = Field(default_factory=KvCacheConfig)
    scheduler_config: SchedulerConfig = Field(default_factory=SchedulerConfig)
    cuda_graph_config: CudaGraphConfig | None = Field(default_factory=CudaGraphConfig)
    disable_overlap_scheduler: bool = False
    attn_backend: str = "TRTLLM"
    stream_interval: int = Field(default=1, ge=1)
    return_perf_metrics: bool = False

    _quant_config: QuantConfig = PrivateAttr(default_factory=QuantConfig)

    @property
    def quant_config(self) -> QuantConfig:
        """Return the quantisation, which is no argument: that of the checkpoint."""
        return self._quant_config

    @field_validator("load_format", mode="before")
    @classmethod
    def _known_format(cls, value: Any) -> Any:
        if isinstance(value, LoadFormat):
            return value
        if value.upper() not in LoadFormat.__members__:
            raise ValueError(f"there is no format {value}")
        return LoadFormat[value.upper()]

    @model_validator(mode="after")
    def _sizes_of_graphs(self) -> Any:
        graphs = self.cuda_graph_config
        if graphs is not None and not graphs.batch_sizes:
            graphs.max_batch_size = graphs.max_batch_size or 128
            graphs.batch_sizes = [n for n in (1, 2, 4, 8, 128) if n <= graphs.max_batch_size]
        return self
