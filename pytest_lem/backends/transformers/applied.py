"""What is in force, read from the live model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from pytest_lem.backends.transformers.devices import as_asked, gpus, place_of, placement, uuids
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.probe import Observed, most, type_name

#: Whole numbers as which weights are stored when they are quantised, packed or not.
_STORED = ("int8", "uint8", "int16", "int32")


def in_force(
    torch: Any, model: Any, options: TransformersOptions, observed: Observed
) -> dict[str, Any]:
    """Return the facts of `Backend.load` that the model tells; see there."""
    weights = weights_by_module(model)
    types = sum((Counter(counts) for counts in weights.values()), Counter[str]())
    places = placement(model)
    devices = gpus(places.values())
    return {
        "architecture": type(model).__name__,
        "parameters": types.total(),
        "precision": most(types),
        "dtype": dict(types),
        "precisions": {
            "weights": weights,
            "quantised_modules": sum(is_quantised(torch, module) for module in model.modules()),
            "activations": observed.activations,
            "kv_cache": observed.kv_cache,
            "compute": observed.compute,
            "float32_matmul": torch.get_float32_matmul_precision(),
        },
        "device": devices[0] if devices else "cpu",
        "device_uuids": uuids(torch, devices),
        "device_map": places,
        "context_length": context_length(model),
        "num_threads": torch.get_num_threads(),
        "options": _options(torch, model, options, observed),
    }


def context_length(model: Any) -> int | None:
    """Return how many tokens fit, None where the model's configuration does not say."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def weights_by_module(model: Any) -> dict[str, dict[str, int]]:
    """Return how many parameters of each type the modules of each class hold.

    A parameter that several modules share counts for the first of them.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seen = set()
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            if id(weight) not in seen:
                seen.add(id(weight))
                found[type(module).__name__][type_name(weight)] += weight.numel()
    return {owner: dict(counts) for owner, counts in found.items()}


def is_quantised(torch: Any, module: Any) -> bool:
    """Tell whether a module stores matrices in fewer bits than it computes with.

    Libraries do that in whole numbers, in floats of a byte, or in a tensor class of their own
    around such ones. Masks and positions are neither, since they are bool or 64 bits wide.
    """
    return any(
        _is_small(part)
        for tensor in _own_tensors(module)
        if tensor.dim() > 1
        for part in _parts(torch, tensor)
    )


def _own_tensors(module: Any) -> Iterator[Any]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def _parts(torch: Any, tensor: Any) -> Iterator[Any]:
    """Yield what a tensor stores: itself, or the tensors inside one of a class of its own."""
    if not torch.utils._python_dispatch.is_traceable_wrapper_subclass(tensor):  # noqa: SLF001
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        yield from _parts(torch, getattr(tensor, name))


def _is_small(tensor: Any) -> bool:
    is_narrow_float = tensor.is_floating_point() and tensor.element_size() == 1
    return is_narrow_float or type_name(tensor) in _STORED


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
