"""From a load to the arguments with which TensorRT-LLM is started."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.tensorrt_llm.options import TensorRtLlmOptions
from pytest_lem.errors import config_error, did_you_mean

#: Options that are no arguments of `LLM`, or that it takes in another form.
_OTHERS = frozenset(
    {
        "python",
        "capacity_scheduler_policy",
        "enable_block_reuse",
        "free_gpu_memory_fraction",
        "tokens_per_block",
        "kv_cache_dtype",
        "kv_cache_config",
        "cuda_graph_config",
        "llm_args",
    }
)
_SECTION = "backends.tensorrt_llm"


def llm_arguments(
    spec: LoadSpec, options: TensorRtLlmOptions, source: ModelSource
) -> dict[str, Any]:
    """Return the keyword arguments of `LLM`.

    The type of the weights is none of them: the backend for PyTorch takes that of the checkpoint.
    Raises LemError (`config`) for further arguments that `LLM` does not know or that we set, and
    ValueError for what the configurations refuse.
    """
    from tensorrt_llm.llmapi import CudaGraphConfig, SchedulerConfig, TorchLlmArgs

    known = list(TorchLlmArgs.model_fields)
    found: dict[str, Any] = {
        "model": source.location,
        "max_batch_size": spec.max_batch_size,
        "kv_cache_config": _kv_cache(options),
    }
    if "return_perf_metrics" in known:  # before 1.1 it is asked for by each request alone
        found["return_perf_metrics"] = True
    if (policy := options.capacity_scheduler_policy) is not None:
        found["scheduler_config"] = SchedulerConfig(capacity_scheduler_policy=policy)
    if (graphs := options.cuda_graph_config) is not None:
        found["cuda_graph_config"] = None if graphs is False else CudaGraphConfig(**graphs)
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None and field.name not in _OTHERS:
            found[field.name] = value
    further = options.llm_args or {}
    _check_further("llm_args", further, known, found)
    return found | further


def _kv_cache(options: TensorRtLlmOptions) -> Any:
    from tensorrt_llm.llmapi import KvCacheConfig

    asked = {
        "enable_block_reuse": options.enable_block_reuse,
        "free_gpu_memory_fraction": options.free_gpu_memory_fraction,
        "tokens_per_block": options.tokens_per_block,
        "dtype": None if options.kv_cache_dtype == "auto" else options.kv_cache_dtype,
    }
    further = options.kv_cache_config or {}
    _check_further("kv_cache_config", further, list(KvCacheConfig.model_fields), asked)
    found = {name: value for name, value in asked.items() if value is not None}
    return KvCacheConfig(**found, **further)


def _check_further(
    option: str, further: Mapping[str, Any], known: list[str], ours: Collection[str]
) -> None:
    for name in further:
        path = f"`{_SECTION}.{option}.{name}`"
        if name == "quant_config":
            raise config_error(
                f"{path}: TensorRT-LLM takes the quantisation of the checkpoint; name a model that "
                "is quantised, and its `precision` if it is to be checked"
            )
        if name in ours:
            raise config_error(f"{path} is set by another setting; use that one")
        if name not in known:
            raise config_error(
                f"{path}: TensorRT-LLM has no such argument: {did_you_mean(name, known)}"
            )
