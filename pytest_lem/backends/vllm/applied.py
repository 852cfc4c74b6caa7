"""What is in force in a running vLLM, read from its configuration and its workers."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any

from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.vllm.engine import Engine
from pytest_lem.backends.vllm.options import VllmOptions

_PARTS = (
    "parallel_config",
    "cache_config",
    "scheduler_config",
    "model_config",
    "load_config",
    "compilation_config",
    "offload_config",
)
#: Arguments whose place in the configuration has another name.
_OTHER_NAMES = {"scheduling_policy": "policy"}


def in_force(
    engine: Engine, options: VllmOptions, source: ModelSource, version: str
) -> dict[str, Any]:
    """Return the facts of `Backend.load`; workers that do the same are told of once."""
    states = engine.states()
    first, config = states[0], engine.config
    dtype = str(config.model_config.dtype).removeprefix("torch.")
    return {
        "backend_version": version,
        "model_location": source.location,
        "model_sha256": source.sha256,
        "model_revision": getattr(config.model_config.hf_config, "_commit_hash", None),
        "architecture": first["architecture"],
        "parameters": _parameters(states),
        "precision": first["precision"],
        "precisions": {
            "weights": first["dtype_by_module"],
            "quantised_modules": first["quantised_modules"],
            "kv_cache": first["kv_cache_dtype"],
            "activations": dtype,
            "compute": None if first["quantised_modules"] else dtype,
        },
        "device": first["device"],
        "device_uuids": [s["device_uuid"] for s in states if s["device_uuid"]],
        "context_length": config.model_config.max_model_len,
        "num_threads": first["num_threads"],
        "kv_cache_blocks": config.cache_config.num_gpu_blocks,
        "cuda_graphs": first["cuda_graphs"],
        "attention_backends": first["attention_backends"],
        "spans": engine.spans,
        "options": _options(engine, options, states),
    }


def _parameters(states: list[dict[str, Any]]) -> int | None:
    """Return the elements of all workers; None where some went into a packed form."""
    counts = [
        count for s in states for by_type in s["dtype_by_module"].values()
        for count in by_type.values()
    ]  # fmt: skip
    return sum(counts) if all(counts) else None


def _options(engine: Engine, options: VllmOptions, states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, under the name of each option, what the engine has for it."""
    told = _told(engine, options, states)
    for field in fields(options):
        traits = field.metadata["json_schema_extra"]
        if traits["is_read_back"] and field.name not in told:
            told[field.name] = _plain(_found(engine.config, field.name))
    return told


def _told(engine: Engine, options: VllmOptions, states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what has another name in vLLM, or is better known by its workers."""
    config, first = engine.config, states[0]
    cache_type = config.cache_config.cache_dtype
    return {
        "engine": engine.kind,
        "enable_v1_multiprocessing": engine.has_core_apart,
        "tensor_parallel_size": len(states) // config.parallel_config.pipeline_parallel_size,
        "kv_cache_dtype": first["kv_cache_dtype"] if cache_type == "auto" else cache_type,
        "attention_backend": ",".join(first["attention_backends"]),
        "cpu_offload_gb": config.offload_config.uva.cpu_offload_gb,
        "omp_num_threads": first["num_threads"],
        "cpu_omp_threads_bind": _bound(states, options.cpu_omp_threads_bind),
        "compilation_config": {
            name: _plain(getattr(config.compilation_config, name, None))
            for name in options.compilation_config or {}
        },
        "engine_args": {name: _plain(_found(config, name)) for name in options.engine_args or {}},
    }


def _found(config: Any, name: str) -> Any:
    """Return a setting from the part of vLLM's configuration that holds it."""
    name = _OTHER_NAMES.get(name, name)
    holders = (getattr(config, part) for part in _PARTS)
    return next((getattr(holder, name) for holder in holders if hasattr(holder, name)), None)


def _plain(value: Any) -> Any:
    """Return an enumeration by its value, or by its name where that is a number or tuple."""
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str | int) else value.name
    return value if isinstance(value, str | int | float | None) else str(value)


def _bound(states: list[dict[str, Any]], asked: str | None) -> str | None:
    """Return the CPUs of all workers, as they were asked for if they are these."""
    found = [state["omp_cpus"] for state in states]
    if asked and [_cpus(part) for part in asked.split("|")] == found:
        return asked
    return "|".join(",".join(map(str, cpus)) for cpus in found) or None


def _cpus(text: str) -> list[int]:
    """Return the numbers in a list such as `0-3,8`; empty for a word."""
    cpus: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            cpus += range(int(first), int(last or first) + 1)
    return cpus
