"""What is in force, as the live server tells it and as it logged when it started."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pytest_lem.backends.llama_cpp.engine import Engine
from pytest_lem.backends.llama_cpp.gguf import GgufHeader
from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.backends.llama_cpp.precisions import precision_of, type_name
from pytest_lem.errors import FailureKind, LemError

#: Where a line tells the value of an option; the last such line counts.
_LINES = {
    "n_batch": r"llama_context: n_batch += (\d+)",
    "n_ubatch": r"llama_context: n_ubatch += (\d+)",
    "n_threads": r"system_info: n_threads = (\d+)",
    "n_threads_batch": r"\(n_threads_batch = (\d+)\)",
    "flash_attn": r"(?:llama_context: flash_attn += |Flash Attention (?:not supported, set to )?)"
    r"(enabled|disabled)",
    "cache_type_k": r"llama_kv_cache: .* K \((\w+)\)",
    "cache_type_v": r"llama_kv_cache: .* V \((\w+)\)",
    "kv_unified": r"llama_context: kv_unified += (true|false)",
    "load_mode": r"\(load_mode = ([\w+]+)\)",
}
_WORDS = {"enabled": "on", "disabled": "off", "true": True, "false": False}
_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_DEVICE = re.compile(r"using device ([A-Za-z]+)(\d+) \(.*\) \(([\da-fA-F:.]+)\) - ")
_NVIDIA = Path("/proc/driver/nvidia/gpus")


def in_force(engine: Engine, header: GgufHeader, options: LlamaCppOptions) -> dict[str, Any]:
    """Return the facts of `Backend.load` that the engine tells; see there."""
    model, context = engine.ask("/v1/models")["data"][0]["meta"], engine.slots[0]["n_ctx"]
    told = _told(engine.log, options) | {"n_ctx": context}
    weights = _weights(header)
    devices = _devices(engine.log) if told["n_gpu_layers"] else []
    return {
        "architecture": header.architecture,
        "parameters": model["n_params"],
        "precision": precision_of(model["ftype"]),
        "dtype": weights,
        "precisions": {"weights": weights, "kv_cache": _kv_cache(told)},
        "device": devices[0][0] if devices else "cpu",
        "device_uuids": [uuid for _, uuid in devices if uuid],
        "context_length": context,
        "num_threads": told.get("n_threads"),
        "slots": len(engine.slots),
        "options": told,
    }


def _told(log: str, options: LlamaCppOptions) -> dict[str, Any]:
    """Return what was logged of each option, written as it would be asked for."""
    told: dict[str, Any] = {}
    for name, line in _LINES.items():
        if found := re.findall(line, log):
            word = found[-1]
            told[name] = int(word) if word.isdigit() else _WORDS.get(word, word)
    if "failed to mlock" in log:
        told["load_mode"] = "mmap" if "mmap" in options.load_mode else "none"
    return told | {"n_gpu_layers": _gpu_layers(log, options)}


def _gpu_layers(log: str, options: LlamaCppOptions) -> int | str:
    """Return the layers on GPUs; without a GPU nothing is logged of them."""
    found = _OFFLOADED.findall(log)
    if not found:
        return 0
    layers, total = found[-1]
    return "all" if options.n_gpu_layers == "all" and layers == total else int(layers)


def _weights(header: GgufHeader) -> dict[str, int]:
    import xllamacpp

    return {
        type_name(xllamacpp.ggml_type(kind).name): count
        for kind, count in header.parameters.items()
    }


def _kv_cache(told: dict[str, Any]) -> str | None:
    """Return the type of the KV cache, None for models that have none."""
    types = {type_name(told[name]) for name in ("cache_type_k", "cache_type_v") if name in told}
    return "/".join(sorted(types)) or None


def _devices(log: str) -> list[tuple[str, str | None]]:
    """Return name and UUID of the GPUs in use; only those of NVIDIA have one."""
    found = dict.fromkeys(_DEVICE.findall(log))
    return [
        (f"{kind.lower()}:{index}", _uuid(address) if kind == "CUDA" else None)
        for kind, index, address in found
    ]


def _uuid(address: str) -> str:
    """Return the UUID of the NVIDIA GPU at a PCI address, as its driver tells it."""
    try:
        text = (_NVIDIA / address / "information").read_text(encoding="utf-8")
        return re.search(r"GPU UUID:\s*(\S+)", text)[1]  # type: ignore[index]
    except (OSError, TypeError) as error:
        raise LemError(
            f"cannot tell which GPU is at {address}, so its energy cannot be told either; make "
            f"{_NVIDIA} readable here",
            kind=FailureKind.METER,
        ) from error
