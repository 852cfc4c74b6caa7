"""From a load to the arguments and variables with which vLLM is started."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.vllm.options import VllmOptions
from pytest_lem.errors import config_error, did_you_mean

_PROBE = "pytest_lem.backends.vllm.probe.Probe"
#: Options that are no fields of `EngineArgs`.
_OURS = frozenset(
    {
        "python",
        "engine",
        "enable_v1_multiprocessing",
        "cpu_omp_threads_bind",
        "omp_num_threads",
        "engine_args",
    }
)
#: Without a size vLLM would take nearly all the memory of a CPU.
_CPU_KV_CACHE_BYTES = 2 << 30


def set_variables(options: VllmOptions) -> None:
    """Set what vLLM reads from the environment; before it is imported."""
    is_apart = options.engine == "AsyncLLM" or bool(options.enable_v1_multiprocessing)
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(is_apart))
    os.environ["VLLM_NO_USAGE_STATS"] = "1"  # nothing is sent anywhere
    if options.cpu_omp_threads_bind is not None:
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = options.cpu_omp_threads_bind
    if options.omp_num_threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(options.omp_num_threads)


def set_threads(options: VllmOptions) -> None:
    """Set the threads of PyTorch, which may have been imported before its variable was set."""
    import torch

    if options.omp_num_threads is not None:
        torch.set_num_threads(options.omp_num_threads)


def engine_arguments(
    spec: LoadSpec, options: VllmOptions, source: ModelSource, *, is_cpu: bool
) -> dict[str, Any]:
    """Return the keyword arguments of `EngineArgs`.

    Raises LemError (`config`) for further arguments that vLLM does not know or that we set.
    """
    found: dict[str, Any] = {
        "model": source.location,
        "dtype": spec.precision,
        "max_num_seqs": spec.max_batch_size,
        "disable_log_stats": False,  # requests tell when they were scheduled
        "worker_extension_cls": _PROBE,
    }
    if options.is_in_process:
        found["distributed_executor_backend"] = "uni"
    if is_cpu and options.gpu_memory_utilization is None:
        found["kv_cache_memory_bytes"] = _CPU_KV_CACHE_BYTES
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None and field.name not in _OURS:
            found[field.name] = value
    further = options.engine_args or {}
    _check_further(further, found)
    return found | further


def _check_further(further: dict[str, Any], ours: dict[str, Any]) -> None:
    from vllm import EngineArgs

    known = [field.name for field in fields(EngineArgs)]
    for name in further:
        if name not in known:
            raise config_error(
                f"`backends.vllm.engine_args.{name}`: vLLM has no such argument: "
                f"{did_you_mean(name, known)}"
            )
        if name in ours:
            raise config_error(
                f"`backends.vllm.engine_args.{name}` is set by another setting; use that one"
            )
