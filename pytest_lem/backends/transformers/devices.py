"""Where a model can run, and where it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import config_error

_CPU = "cpu"
_DISK = "disk"
_GPU = re.compile(r"cuda:\d+")


def chosen_map(torch: Any, options: TransformersOptions) -> str | dict[str, int | str]:
    """Return the device map for `from_pretrained`.

    Raises LemError (`config`) for a CUDA device that is not there.
    """
    for place in options.modules.values():
        _present(torch, canonical(place), "device_map")
    for name in options.max_memory or {}:
        _present(torch, name if name == _CPU else f"cuda:{name}", "max_memory")
    return options.device_map or {"": _present(torch, options.device, "device")}


def limits(options: TransformersOptions) -> dict[int | str, int | str] | None:
    """Return the limits of memory as the library knows devices; JSON has no numbers for names."""
    if options.max_memory is None:
        return None
    return {int(n) if n.isdigit() else n: size for n, size in options.max_memory.items()}


def canonical(place: Any) -> str:
    """Return a device as PyTorch writes it; a number is that of a GPU."""
    return f"cuda:{place}" if isinstance(place, int) else str(place)


def as_asked(asked: Any, found: str | None) -> Any:
    """Return the device in force as it was asked for: `cuda:0` meets `cuda`, and 0 as well."""
    if asked == "cuda" and _GPU.fullmatch(found or ""):
        return asked
    return asked if canonical(asked) == found else found


def place_of(model: Any, module: str) -> str | None:
    """Return where a module is, by its weights or else its buffers; no name is the whole model.

    None for a module that has neither; several places are joined by commas.
    """
    for tensors in (model.named_parameters(remove_duplicate=False), model.named_buffers()):
        found = {_place(model, name, it) for name, it in tensors if _is_in(name, module)}
        if found:
            return ",".join(sorted(found))
    return None


def placement(model: Any) -> dict[str, str]:
    """Return where each module runs, by its name; one empty name if all are on one device."""
    mapped = getattr(model, "hf_device_map", None) or {"": place_of(model, "")}
    return {name: canonical(place) for name, place in mapped.items()}


def gpus(places: Iterable[str]) -> list[str]:
    """Return the GPUs among places, each once, by number."""
    return sorted(
        {place for place in places if place.startswith("cuda")},
        key=lambda place: int(place.partition(":")[2]),
    )


def uuids(torch: Any, devices: Iterable[str]) -> list[str]:
    """Return the NVML names of GPUs.

    For a slice (MIG) CUDA from 11.4 on gives the UUID of the slice without saying that it is one.
    The meter learns that from the driver, so it gets `GPU-` before it like any other.
    """
    return [f"GPU-{torch.cuda.get_device_properties(device).uuid}" for device in devices]


def _present(torch: Any, wanted: str, setting: str) -> str:
    """Return a device that is there, by its full name."""
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else _CPU
    if wanted in (_CPU, _DISK):
        return wanted
    if not torch.cuda.is_available():
        raise config_error(
            f"`backends.transformers.{setting}` names {wanted}, but PyTorch {torch.__version__} "
            "sees no CUDA device; install a CUDA build, check the driver, or take `cpu`"
        )
    index, count = int(wanted.partition(":")[2] or 0), torch.cuda.device_count()
    if index >= count:
        raise config_error(
            f"`backends.transformers.{setting}` names {wanted}, but the last of {count} CUDA "
            f"devices is cuda:{count - 1}"
        )
    return f"cuda:{index}"


def _place(model: Any, name: str, tensor: Any) -> str:
    """Return where a tensor is; one that is fetched when needed is where the library put it."""
    if tensor.device.type != "meta":
        return str(tensor.device)
    mapped: Mapping[str, Any] = getattr(model, "hf_device_map", {})
    homes = [module for module in mapped if _is_in(name, module)]
    return canonical(mapped[max(homes, key=len)]) if homes else "meta"


def _is_in(name: str, module: str) -> bool:
    return not module or name == module or name.startswith(f"{module}.")
