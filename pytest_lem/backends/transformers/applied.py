"""What is in force, read from the live model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_lem.backends.transformers.devices import as_asked, gpus, place_of, placement, uuids
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.probe import Observed, most
from pytest_lem.backends.transformers.quantised import as_asked as quantised_as_asked
from pytest_lem.backends.transformers.quantised import quantised_in
from pytest_lem.backends.transformers.weights import BITS, is_quantised, weights_by_module


def in_force(
    torch: Any,
    model: Any,
    options: TransformersOptions,
    observed: Observed,
    *,
    adapter: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the facts of `Backend.load` that the model tells; see there.

    `adapter` is what of an adapter is in force.
    """
    weights = weights_by_module(torch, model)
    types = sum((Counter(counts) for counts in weights.values()), Counter[str]())
    places = placement(model)
    devices = gpus(places.values())
    return {
        "architecture": type(model).__name__,
        "parameters": types.total(),
        "precision": _precision(types),
        "dtype": dict(types),
        "precisions": {
            "weights": weights,
            "quantised_modules": sum(is_quantised(torch, module) for module in model.modules()),
            "activations": observed.activations,
            "kv_cache": observed.kv_cache,
            "compute": observed.compute,
            "float32_matmul": torch.get_float32_matmul_precision(),
        },
        "quantization": quantised_in(torch, model),
        "adapter": adapter,
        "device": devices[0] if devices else "cpu",
        "device_uuids": uuids(torch, devices),
        "device_map": places,
        "context_length": context_length(model),
        "num_threads": torch.get_num_threads(),
        "options": {
            **_options(torch, model, options, observed),
            "adapter": options.adapter if adapter else None,
            "merge_adapter": adapter["is_merged"] if adapter else None,
        },
    }


def context_length(model: Any) -> int | None:
    """Return how many tokens fit, None where the model's configuration does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def _precision(types: Counter[str]) -> str | None:
    """Return the type of most weights that are not quantised: what was asked for is about them."""
    plain = Counter({name: count for name, count in types.items() if name not in BITS})
    return most(plain or types)


def _options(
    torch: Any, model: Any, options: TransformersOptions, observed: Observed
) -> dict[str, Any]:
    """Return, under the name of each option that can be read back, what is in force for it."""
    config = model.config.get_text_config()
    return {
        "device": as_asked(options.device, place_of(model, "")),
        "device_map": {
            module: as_asked(place, place_of(model, module))
            for module, place in options.modules.items()
        }
        or placement(model),
        "attn_implementation": config._attn_implementation,  # noqa: SLF001 - no public name
        "use_cache": observed.cache_implementation is not None,
        "cache_implementation": observed.cache_implementation,
        "torch_compile": observed.is_compiled,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "num_threads": torch.get_num_threads(),
        "quantization_config": quantised_as_asked(
            options.quantization_config, quantised_in(torch, model)
        ),
        "model_kwargs": {
            name: getattr(model.config, name)
            for name in options.model_kwargs or {}
            if hasattr(model.config, name) and _is_plain(getattr(model.config, name))
        },
    }


def _is_plain(value: Any) -> bool:
    """Tell whether a value can be written as JSON."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
