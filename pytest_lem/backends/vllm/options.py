"""What vLLM can be told, in the names of its `EngineArgs` and, lower case, of its variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pytest_lem.backends.option import HubOptions, option


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmOptions(HubOptions):
    """Settings of vLLM. Null is its own choice, but for what a description says."""

    engine: Literal["LLMEngine", "AsyncLLM"] = option(
        "LLMEngine",
        "`LLMEngine` is stepped in the host process; `AsyncLLM` is what servers use, with its core "
        "in a process of its own and its outputs streamed.",
        ["LLMEngine", "AsyncLLM"],
    )
    enable_v1_multiprocessing: bool | None = option(
        None,
        "Run the core of `LLMEngine` in a process of its own; null: no.",
        [False, True],
    )
    tensor_parallel_size: int = option(1, "Devices that share each layer.", [1], on_gpu=[2], ge=1)
    pipeline_parallel_size: int = option(
        1, "Groups of devices that hold successive layers.", [1], on_gpu=[2], ge=1
    )
    distributed_executor_backend: Literal["uni", "mp", "ray"] | None = option(
        None,
        "How workers are started; null: in the process of the core where there is one worker.",
        ["uni"],
        on_gpu=["mp"],
    )
    gpu_memory_utilization: float | None = option(
        None,
        "Share of a device's memory that vLLM may take, of a CPU's too; not with "
        "`kv_cache_memory_bytes`.",
        [0.25],
        gt=0,
        le=1,
    )
    kv_cache_memory_bytes: int | None = option(
        None,
        "Size of the KV cache; null: what `gpu_memory_utilization` leaves on a GPU, 2 GiB on a "
        "CPU, where vLLM would take nearly all the memory.",
        [268435456],
        ge=1,
    )
    kv_cache_dtype: str = option(
        "auto",
        "Type of the KV cache; fp8 needs a GPU, or a CPU with AVX-512.",
        ["auto"],
        on_gpu=["fp8"],
    )
    block_size: int | None = option(
        None, "Tokens in a block of the KV cache.", [32, 64], on_gpu=[16], ge=1
    )
    max_model_len: int | None = option(None, "Longest prompt with its output.", [256], ge=1)
    max_num_seqs: int | None = option(
        None, "Most requests in a step; null: the largest batch that shares the load.", [4], ge=1
    )
    max_num_batched_tokens: int | None = option(None, "Most tokens in a step.", [512], ge=1)
    enable_prefix_caching: bool = option(
        False,
        "Reuse the cache of a prompt's beginning; with it, repeated prompts cost next to nothing.",
        [False, True],
    )
    enable_chunked_prefill: bool | None = option(
        None, "Cut long prompts so that decoding goes on between the parts.", [True, False]
    )
    enforce_eager: bool | None = option(
        None, "Neither compile the model nor capture graphs.", [True, False]
    )
    compilation_config: dict[str, Any] | None = option(
        None,
        "Settings of the compilation; not with `enforce_eager`.",
        [{"mode": 0}],
        on_gpu=[{"cudagraph_mode": "PIECEWISE"}],
    )
    attention_backend: str | None = option(
        None, "Implementation of the attention.", [], on_gpu=["FLASH_ATTN", "FLASHINFER"]
    )
    quantization: str | None = option(
        None, "Quantise the weights when loading.", [], on_gpu=["fp8"]
    )
    load_format: str = option(
        "auto", "How weights are read; `dummy` makes them up.", ["auto", "safetensors", "dummy"]
    )
    async_scheduling: bool | None = option(
        None, "Prepare a step while the one before still runs.", [False], on_gpu=[True]
    )
    cpu_offload_gb: float = option(
        0.0, "GiB of weights kept in host memory, per GPU.", [0.0], on_gpu=[1.0], ge=0
    )
    omp_num_threads: int | None = option(
        None, "OMP_NUM_THREADS: threads on a CPU, where everything runs in one process.", [1], ge=1
    )
    cpu_omp_threads_bind: str | None = option(
        None,
        "VLLM_CPU_OMP_THREADS_BIND: the CPUs of a worker's threads, `0-3` or, for each worker, "
        "`0-3|4-7`; where workers are processes of their own.",
        ["0"],
        companions={"enable_v1_multiprocessing": True},
        pattern=r"^(auto|nobind|\d+(-\d+)?([,|]\d+(-\d+)?)*)$",
    )
    engine_args: dict[str, Any] | None = option(
        None, "Further fields of `EngineArgs`.", [{"scheduling_policy": "priority"}]
    )

    def __post_init__(self) -> None:
        """Refuse what excludes each other; pydantic makes a sentence of it."""
        if self.gpu_memory_utilization is not None and self.kv_cache_memory_bytes is not None:
            raise ValueError("gpu_memory_utilization and kv_cache_memory_bytes exclude each other")
        if self.enforce_eager and self.compilation_config:
            raise ValueError("enforce_eager leaves nothing for compilation_config to say")
        if self.engine == "AsyncLLM" and self.enable_v1_multiprocessing is False:
            raise ValueError("AsyncLLM always has its core in a process of its own")
        if self.distributed_executor_backend == "uni" and self.workers > 1:
            raise ValueError("the executor `uni` has one worker, so it cannot be parallel")
        if self.is_in_process and self.cpu_omp_threads_bind is not None:
            raise ValueError(
                "cpu_omp_threads_bind has no effect within one process; set omp_num_threads, or "
                "enable_v1_multiprocessing"
            )
        if not self.is_in_process and self.omp_num_threads is not None:
            raise ValueError("omp_num_threads is for one process; set cpu_omp_threads_bind")
        limit, longest = self.max_num_batched_tokens, self.max_model_len
        if self.enable_chunked_prefill is False and limit and longest and limit < longest:
            raise ValueError(
                "max_num_batched_tokens is below max_model_len, which needs enable_chunked_prefill"
            )

    @property
    def workers(self) -> int:
        """Return how many devices take part."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def is_in_process(self) -> bool:
        """Tell whether everything runs in the host process itself."""
        return (
            self.engine == "LLMEngine"
            and not self.enable_v1_multiprocessing
            and self.distributed_executor_backend in (None, "uni")
            and self.workers == 1
        )
