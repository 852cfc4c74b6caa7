"""Weights as a live model holds them: their types and numbers, and which of them are quantised."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

#: Whole numbers as which weights are stored when they are quantised, packed or not.
_STORED = ("int8", "uint8", "int16", "int32")
_BYTE = 8  # bits
#: Bits of a number, by the names of types.
BITS = {"nf4": 4, "fp4": 4, "float8_e4m3fn": 8, "float8_e5m2": 8} | {
    f"int{bits}": bits for bits in range(1, 9)
}


def weights_by_module(torch: Any, model: Any) -> dict[str, dict[str, int]]:
    """Return how many parameters of each type the modules of each class hold, as they are stored.

    A parameter that several modules share counts for the first of them.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seen = set()
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            if id(weight) not in seen:
                seen.add(id(weight))
                name, count = stored_as(torch, weight)
                found[type(module).__name__][name] += count
        if packed := _in_buffers(torch, module):
            found[type(module).__name__][packed] += module.in_features * module.out_features
    return {owner: dict(counts) for owner, counts in found.items()}


def stored_as(torch: Any, weight: Any) -> tuple[str, int]:
    """Return the type in which a weight is stored, and how many numbers of the model it is.

    Tensor classes of libraries call themselves what they stand for, and several numbers may be
    packed into one.
    """
    state = getattr(weight, "quant_state", None)  # of bitsandbytes
    if state is not None:
        return str(state.quant_type), math.prod(state.shape)
    small = next(filter(_is_small, parts(torch, weight)), None)
    if small is None or small is weight:
        return type_name(weight), weight.numel()
    bits = round(_BYTE * small.element_size() * small.numel() / max(weight.numel(), 1))
    is_packed = not small.is_floating_point() and bits < _BYTE
    return f"int{bits}" if is_packed else type_name(small), weight.numel()


def type_name(tensor: Any) -> str:
    """Return the type of a tensor's numbers, as precisions are written."""
    return str(tensor.dtype).removeprefix("torch.")


def is_quantised(torch: Any, module: Any) -> bool:
    """Tell whether a module stores matrices in fewer bits than it computes with.

    Libraries do that in whole numbers, in floats of a byte, or in a tensor class of their own
    around such ones. Masks and positions are neither, since they are bool or 64 bits wide.
    """
    return any(
        _is_small(part)
        for tensors in (module.parameters(recurse=False), module.buffers(recurse=False))
        for tensor in tensors
        if tensor.dim() > 1
        for part in parts(torch, tensor)
    )


def parts(torch: Any, tensor: Any) -> Iterator[Any]:
    """Yield what a tensor stores: itself, or the tensors inside one of a class of its own."""
    if not torch.utils._python_dispatch.is_traceable_wrapper_subclass(tensor):  # noqa: SLF001
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        yield from parts(torch, getattr(tensor, name))


def multiplied_in(torch: Any, module: Any) -> str | None:
    """Return the type that a module brings its input to; None where it leaves it as it is.

    Libraries that do so keep it to themselves: what goes in and what comes out looks alike.
    """
    kind, weight = type(module), getattr(module, "weight", None)
    if kind.__module__.startswith("bitsandbytes"):
        compute = getattr(module, "compute_dtype", None)
        return "int8" if kind.__name__ == "Linear8bitLt" else _dtype_name(compute)
    is_whole = getattr(weight, "act_quant_kwargs", None) is not None  # of torchao
    if is_whole or kind.__name__ == "FP8Linear":
        return stored_as(torch, weight)[0]
    return None


def _dtype_name(dtype: Any) -> str | None:
    return None if dtype is None else str(dtype).removeprefix("torch.")


def _in_buffers(torch: Any, module: Any) -> str | None:
    """Return the type of a matrix that a module keeps packed outside its parameters, if it does."""
    has_matrix = any(weight.dim() > 1 for weight in module.parameters(recurse=False))
    if has_matrix or not hasattr(module, "in_features") or not is_quantised(torch, module):
        return None
    bits = getattr(module, "bits", None)
    return f"int{bits}" if isinstance(bits, int) else "packed"


def _is_small(tensor: Any) -> bool:
    is_narrow_float = tensor.is_floating_point() and tensor.element_size() == 1
    return is_narrow_float or type_name(tensor) in _STORED
