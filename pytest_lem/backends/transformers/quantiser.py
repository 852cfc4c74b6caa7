"""From `quantization_config` to what `from_pretrained` takes, and what can stand in its way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pytest_lem.backends.host.packages import require_version
from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.transformers.devices import canonical
from pytest_lem.backends.transformers.quantisation import OF_CHECKPOINTS, Kind, kind_of
from pytest_lem.errors import LemError, config_error

_SETTING = "`backends.transformers.quantization_config`"
_INSTALL = "python -m pip install 'pytest-lem[quantization]'"
#: What is in no extra, since it needs a GPU, and how it is installed.
APART = {
    "mslk": "python -m pip install mslk",
    "kernels": "python -m pip install kernels",
    "flash-attn": "python -m pip install flash-attn --no-build-isolation",
}
_FP8 = "fp8"
#: What the library says of a conversion that failed, about a table in its log.
_SEE_ABOVE = re.compile(r"\s*For details look at .*?above report!?", re.DOTALL)


def quantiser_of(
    torch: Any, config: Mapping[str, Any] | None, source: ModelSource, places: Iterable[str],
    stored: Mapping[str, Any] | None,
) -> Any:  # fmt: skip
    """Return the library's configuration; None where nothing is to be quantised when loading.

    `places` are the devices where the model is to run, `stored` how its files are quantised.
    Raises LemError (`config`) for what cannot be had here.
    """
    if stored is not None:
        _check_stored(torch, config, source, list(places), stored)
        return None
    if config is None:
        return None
    method = config["quant_method"]
    if method in OF_CHECKPOINTS:
        raise config_error(
            f"{_SETTING} asks for {method}, which only a model's files can bring, and those of "
            f"{source.location} are not quantised; name a model that is, or take `torchao`"
        )
    kind = kind_of(config)
    told = asking(config)
    _check_devices(torch, told, kind, list(places))
    check_packages(told, kind.packages)
    return _made(config, kind)


def asking(config: Mapping[str, Any]) -> str:
    """Return the beginning of a sentence on what cannot be had."""
    return f"{_SETTING} asks for {config.get('quant_type', config['quant_method'])}"


def check_cpu_only(told: str, kind: Kind, *, is_on_gpu: bool) -> None:
    """Raise LemError (`config`) for what runs on a CPU only, where the model is to be on a GPU."""
    if kind.is_on_cpu and is_on_gpu:
        raise config_error(
            f"{told}, which runs on a CPU only; set `device: cpu`, or take Int4WeightOnlyConfig"
        )


def check_packages(told: str, packages: Mapping[str, str]) -> None:
    """Raise LemError (`config`) for a package that is not installed, or older than it must be."""
    for package, oldest in packages.items():
        install = APART.get(package, _INSTALL)
        try:
            found = version(package)
        except PackageNotFoundError:
            raise config_error(
                f"{told}, which needs the package {package}, and that is not installed; run: "
                f"{install}"
            ) from None
        require_version(found, oldest, package, install)


def places_in(torch: Any, device_map: str | Mapping[str, Any]) -> list[str]:
    """Return the devices where a model is to run; where the library chooses, all GPUs."""
    if not isinstance(device_map, str):
        return [canonical(place) for place in device_map.values()]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]


def stored_in(source: ModelSource, revision: str | None) -> Mapping[str, Any] | None:
    """Return how the files of a model say that they are quantised; raises OSError as reading does.

    None where they say nothing.
    """
    from transformers import PretrainedConfig

    config, _ = PretrainedConfig.get_config_dict(
        source.location, revision=revision, local_files_only=source.is_local
    )
    found = config.get("quantization_config")
    return found if isinstance(found, Mapping) else None


def unquantisable(config: Mapping[str, Any], error: Exception) -> LemError:
    """Return the error of weights that a library could not quantise."""
    lines = _SEE_ABOVE.sub("", str(error)).splitlines() or [type(error).__name__]
    size = config.get("group_size")
    rule = f"; `group_size` {size} must divide the width of the matrices" if size else ""
    return config_error(
        f"the library could not quantise the weights by {_SETTING} ({config['quant_method']}: "
        f"{lines[0].rstrip('.:')}){rule}; its log says more; take another kind, size or method"
    )


def _check_stored(
    torch: Any, config: Mapping[str, Any] | None, source: ModelSource, places: list[str],
    stored: Mapping[str, Any],
) -> None:  # fmt: skip
    found = stored.get("quant_method")
    if config is not None and found != config["quant_method"]:
        raise config_error(
            f"{_SETTING} asks for {config['quant_method']}, but the weights of {source.location} "
            f"are stored in {found}; leave it out, or name a model whose weights are not quantised"
        )
    if found != _FP8 or (config is None and _is_dequantised(torch, stored)):
        return
    kind = kind_of({"quant_method": _FP8})
    told = asking(config) if config else f"the weights of {source.location} are stored in {_FP8}"
    _check_devices(torch, told, kind, places)
    check_packages(told, kind.packages)


def _is_dequantised(torch: Any, stored: Mapping[str, Any]) -> bool:
    """Tell whether the library makes weights in fp8 wider when it loads them, by its own rule.

    That is not about where the model is to run, but about the GPU that it could use.
    """
    if stored.get("dequantize") or not torch.cuda.is_available():
        return True
    least = kind_of({"quant_method": _FP8}).capability
    return bool(least and torch.cuda.get_device_capability(0) < least)


def _check_devices(torch: Any, told: str, kind: Kind, places: list[str]) -> None:
    gpus = [place for place in places if place.startswith("cuda")]
    check_cpu_only(told, kind, is_on_gpu=bool(gpus))
    if kind.capability is None:
        return
    least = ".".join(map(str, kind.capability))
    if gpus != places or not gpus:
        raise config_error(
            f"{told}, which needs a GPU of compute capability {least} or "
            "later for the whole model, and it runs on the CPU; take another method or device"
        )
    for place in gpus:
        found = torch.cuda.get_device_capability(place)
        if found < kind.capability:
            raise config_error(
                f"{told}, which needs compute capability {least} or later, and "
                f"{place} has {'.'.join(map(str, found))}; take another method or GPU"
            )


def _made(config: Mapping[str, Any], kind: Kind) -> Any:
    import transformers

    rest = {name: value for name, value in config.items() if name != "quant_method"}
    if config["quant_method"] == "bitsandbytes":
        if "llm_int8_threshold" in rest:
            rest["llm_int8_threshold"] = float(rest["llm_int8_threshold"])
        return transformers.BitsAndBytesConfig(**rest)
    if config["quant_method"] == "fp8":
        return transformers.FineGrainedFP8Config(**rest)
    return transformers.TorchAoConfig(_of_torchao(rest, kind))


def _of_torchao(rest: dict[str, Any], kind: Kind) -> Any:
    """Return a configuration of torchao that leaves PyTorch's own settings alone.

    By default it would also let float32 matrices be multiplied in TF32, in the whole process.
    """
    name, size = rest["quant_type"], rest.get("group_size")
    arguments: dict[str, Any] = {"set_inductor_config": False}
    if size is not None and name.startswith("Int8"):
        arguments["granularity"] = import_module("torchao.quantization").PerGroup(size)
    elif size is not None:
        arguments["group_size"] = size
    return getattr(import_module(kind.module), name)(**arguments)
