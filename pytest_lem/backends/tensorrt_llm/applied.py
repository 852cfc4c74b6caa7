"""What is in force in a running TensorRT-LLM, by the arguments that its workers were given.

Those are `llm.args`: validated, with what the checkpoint says filled in. The workers themselves are
not asked, since releases 1.x have no way to.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Literal

from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.tensorrt_llm.checkpoint import Checkpoint
from pytest_lem.backends.tensorrt_llm.options import TensorRtLlmOptions

_IN_KV_CACHE = ("enable_block_reuse", "free_gpu_memory_fraction", "tokens_per_block")


def in_force(
    args: Any,
    options: TensorRtLlmOptions,
    source: ModelSource,
    checkpoint: Checkpoint,
    version: str,
) -> dict[str, Any]:
    """Return the facts of `Backend.load`."""
    dtype = _dtype(args, checkpoint)
    quantised = _quantisation(args, "quant_algo")
    kv_cache = _kv_cache_dtype(args)
    return {
        "backend_version": version,
        "model_location": source.location,
        "model_sha256": source.sha256,
        "model_revision": None if source.is_local else checkpoint.folder.name,
        "architecture": checkpoint.architecture,
        "parameters": None,
        "precision": quantised or dtype,
        "precisions": {
            "weights": quantised or dtype,
            "activations": None if quantised else dtype,
            "compute": None if quantised else dtype,
            "kv_cache": kv_cache or dtype,
            "quantised_modules": None if quantised else 0,
        },
        "quantisation": quantised,
        "device": "cuda",
        "device_uuids": _uuids(options.workers),
        "context_length": args.max_seq_len or checkpoint.context_length,
        "attention_backends": [args.attn_backend],
        "options": _options(args, options) | {"kv_cache_dtype": kv_cache or "auto"},
    }


def _dtype(args: Any, checkpoint: Checkpoint) -> str:
    """Return the type of what is not quantised: the checkpoint's, unless it was overridden."""
    overridden = getattr(args, "model_kwargs", None) or {}
    asked = overridden.get("dtype") or overridden.get("torch_dtype") or checkpoint.dtype
    return str(asked).removeprefix("torch.")


def _quantisation(args: Any, name: str) -> str | None:
    """Return a kind of quantisation in small letters, as precisions are written."""
    found = _plain(getattr(getattr(args, "quant_config", None), name, None))
    return None if found in (None, "NO_QUANT") else str(found).lower()


def _kv_cache_dtype(args: Any) -> str | None:
    """Return the type of the KV cache; None where it is that of the model."""
    asked = getattr(args.kv_cache_config, "dtype", "auto")
    return _quantisation(args, "kv_cache_quant_algo") if asked == "auto" else str(asked)


def _options(args: Any, options: TensorRtLlmOptions) -> dict[str, Any]:
    """Return, under the name of each option, what was handed to the workers for it."""
    kv_cache, graphs = args.kv_cache_config, args.cuda_graph_config
    told: dict[str, Any] = {
        **{name: _plain(getattr(kv_cache, name, None)) for name in _IN_KV_CACHE},
        "kv_cache_config": _some(kv_cache, options.kv_cache_config),
        "cuda_graph_config": False if graphs is None else _some(graphs, options.cuda_graph_config),
        "capacity_scheduler_policy": _plain(args.scheduler_config.capacity_scheduler_policy),
        "llm_args": _some(args, options.llm_args),
    }
    for field in fields(options):
        traits = field.metadata["json_schema_extra"]
        if traits["is_read_back"] and field.name not in told:
            told[field.name] = _plain(getattr(args, field.name, None))
    return told


def _some(holder: Any, asked: Mapping[str, Any] | Literal[False] | None) -> dict[str, Any]:
    """Return the fields that were asked for, as they are."""
    return {name: _plain(getattr(holder, name, None)) for name in asked or ()}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; enumerations by their value, or their name if it is no text.

    A configuration within another is a mapping.
    """
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name.lower()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return value if isinstance(value, str | int | float | None) else str(value)


def _uuids(count: int) -> list[str]:
    """Return the boards of the workers, which take the visible ones in their order."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or cuda.device_count() < count:
        return []
    return [f"GPU-{cuda.get_device_properties(index).uuid}" for index in range(count)]
