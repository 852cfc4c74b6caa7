"""What a worker of vLLM says of itself. vLLM mixes the class into its workers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_UNQUANTISED = ("NoneType", "Unquantized")


class Probe:
    """Asked by `collective_rpc`; its answers are plain JSON."""

    model_runner: Any
    vllm_config: Any
    device: Any

    def lem_state(self) -> dict[str, Any]:
        """Return what is in force in this worker, read from its live objects."""
        import torch

        model = self.model_runner.model
        layers = self.vllm_config.compilation_config.static_forward_context.values()
        backends = [getattr(layer, "attn_backend", None) for layer in layers]
        caches = self.model_runner.kv_caches
        return {
            "architecture": type(model).__name__,
            "precision": _precision(model),
            "dtype_by_module": _dtypes(model),
            "quantised_modules": sum(_is_quantised(module) for module in model.modules()),
            "kv_cache_dtype": _name(caches[0].dtype) if caches else None,
            "attention_backends": sorted({b.get_name() for b in backends if b is not None}),
            "cuda_graphs": _cuda_graphs(self.model_runner),
            "num_threads": torch.get_num_threads(),
            "omp_cpus": _omp_cpus(),
            "device": str(self.device),
            "device_uuid": _uuid(torch, self.device),
        }


def _weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield each weight with the class of its module, tied ones once."""
    seen = set()
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            if id(weight) not in seen:
                seen.add(id(weight))
                yield type(module).__name__, weight


def _precision(model: Any) -> str:
    """Return the type of most weights: of their number, since packed ones show no elements."""
    return Counter(_name(weight.dtype) for _, weight in _weights(model)).most_common(1)[0][0]


def _dtypes(model: Any) -> dict[str, dict[str, int]]:
    """Return elements by class of module and type.

    They are 0 where the weights went into a packed form of the CPU's library.
    """
    found: dict[str, Counter[str]] = {}
    for owner, weight in _weights(model):
        found.setdefault(owner, Counter())[_name(weight.dtype)] += weight.numel()
    return {owner: dict(counts) for owner, counts in found.items()}


def _is_quantised(module: Any) -> bool:
    method = type(getattr(module, "quant_method", None)).__name__
    return not method.startswith(_UNQUANTISED)


def _cuda_graphs(runner: Any) -> int | None:
    """Return how many graphs were captured; None where this release does not tell."""
    keys = getattr(getattr(runner, "cudagraph_dispatcher", None), "cudagraph_keys", None)
    return None if keys is None else sum(len(found) for found in keys.values())


def _omp_cpus() -> list[int]:
    """Return the CPUs to which the OpenMP library of this process was told to keep."""
    places = os.environ.get("GOMP_CPU_AFFINITY") or os.environ.get("OMP_PLACES") or ""
    return [int(number) for number in re.findall(r"\d+", places)]


def _uuid(torch: Any, device: Any) -> str | None:
    if device.type != "cuda":
        return None
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
