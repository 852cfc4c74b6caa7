"""From `quantization_config` to what `from_pretrained` takes, and what can stand in its way."""

from __future__ import annotations

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
#: What is not in the extra, since it needs a GPU.
_APART = ("mslk", "kernels")


def quantiser_of(
    torch: Any, config: Mapping[str, Any] | None, source: ModelSource, places: Iterable[str],
    stored: Mapping[str, Any] | None,
) -> Any:  # fmt: skip
    """Return the library's configuration; None where nothing is to be quantised when loading.

    `places` are the devices where the model is to run, `stored` how its files are quantised.
    Raises LemError (`config`) for what cannot be had here.
    """
    if config is None:
        return None
    method = config["quant_method"]
    if stored is not None:
        _check_stored(method, source, stored)
        return None
    if method in OF_CHECKPOINTS:
        raise config_error(
            f"{_SETTING} asks for {method}, which only a model's files can bring, and those of "
            f"{source.location} are not quantised; name a model that is, or take `torchao`"
        )
    kind = kind_of(config)
    name = config.get("quant_type", method)
    _check_devices(torch, name, kind, list(places))
    _check_packages(name, kind)
    return _made(config, kind)


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
    lines = str(error).splitlines() or [type(error).__name__]
    return config_error(
        f"the library could not quantise the weights by {_SETTING} ({config['quant_method']}: "
        f"{lines[0].rstrip('.:')}); its log says more; take another kind, size or method"
    )


def _check_stored(method: str, source: ModelSource, stored: Mapping[str, Any]) -> None:
    found = stored.get("quant_method")
    if found != method:
        raise config_error(
            f"{_SETTING} asks for {method}, but the weights of {source.location} are stored in "
            f"{found}; leave it out, or name a model whose weights are not quantised"
        )


def _check_packages(name: str, kind: Kind) -> None:
    for package, oldest in kind.packages.items():
        install = f"python -m pip install {package}" if package in _APART else _INSTALL
        try:
            found = version(package)
        except PackageNotFoundError:
            raise config_error(
                f"{_SETTING} asks for {name}, which needs the package {package}, and that is not "
                f"installed; run: {install}"
            ) from None
        require_version(found, oldest, package, install)


def _check_devices(torch: Any, name: str, kind: Kind, places: list[str]) -> None:
    gpus = [place for place in places if place.startswith("cuda")]
    if kind.is_on_cpu and gpus:
        raise config_error(
            f"{_SETTING} asks for {name}, which runs on a CPU only; set `device: cpu`, or take "
            "Int4WeightOnlyConfig"
        )
    if kind.capability is None:
        return
    least = ".".join(map(str, kind.capability))
    if gpus != places or not gpus:
        raise config_error(
            f"{_SETTING} asks for {name}, which needs a GPU of compute capability {least} or "
            "later for the whole model, and it runs on the CPU; take another method or device"
        )
    for place in gpus:
        found = torch.cuda.get_device_capability(place)
        if found < kind.capability:
            raise config_error(
                f"{_SETTING} asks for {name}, which needs compute capability {least} or later, and "
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
