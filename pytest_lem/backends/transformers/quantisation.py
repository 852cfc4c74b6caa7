"""What can be asked for in `quantization_config`, and what each of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

_SETTING = "quantization_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to quantise.

    Attributes:
        packages: what must be installed, each with the least version that the library takes.
        capability: the least compute capability of a GPU; None where a CPU will do.
        is_on_cpu: whether it runs on a CPU and nowhere else.
        takes_groups: whether it can be told a `group_size`.
        module: where its class is.

    """

    packages: Mapping[str, str]
    capability: tuple[int, int] | None = None
    is_on_cpu: bool = False
    takes_groups: bool = False
    module: str = "torchao.quantization"


class _Check(NamedTuple):
    """Whether a value will do, and what would, in words."""

    is_valid: Callable[[Any], bool]
    wanted: str


_AO = {"torchao": "0.15"}
#: The configurations of torchao, by their class names.
TORCHAO = {
    "Int8WeightOnlyConfig": Kind(packages=_AO, takes_groups=True),
    "Int8DynamicActivationInt8WeightConfig": Kind(packages=_AO),
    "Int4WeightOnlyConfig": Kind(
        packages={**_AO, "mslk": "1.0"}, capability=(8, 0), takes_groups=True
    ),
    "PrototypeInt4WeightOnlyConfig": Kind(
        packages={"torchao": "0.18"},
        is_on_cpu=True,
        takes_groups=True,
        module="torchao.prototype.quantization.int4",
    ),
    "Float8WeightOnlyConfig": Kind(packages=_AO),
    "Float8DynamicActivationFloat8WeightConfig": Kind(packages=_AO, capability=(8, 9)),
}
#: All other ways, by `quant_method`.
_OTHERS = {
    "bitsandbytes": Kind(packages={"bitsandbytes": "0.46.1"}),
    "fp8": Kind(packages={"kernels": "0.17"}, capability=(8, 9)),
}
#: What only a checkpoint can bring; asking for it asks whether it did.
OF_CHECKPOINTS = ("gptq", "awq")


def _one_of(*choices: str) -> _Check:
    return _Check(lambda value: value in choices, f"one of {', '.join(choices)}")


_SWITCH = _Check(lambda value: isinstance(value, bool), "true or false")
_SIZE = _Check(lambda value: type(value) is int and value > 0, "a whole number above 0")
_LIMIT = _Check(lambda value: type(value) in (int, float) and value >= 0, "a number from 0 on")
_BLOCK = _Check(
    lambda value: (
        isinstance(value, list | tuple) and len(value) == 2 and all(map(_SIZE.is_valid, value))  # noqa: PLR2004 - a block is a rectangle
    ),
    "two whole numbers above 0",
)
_ON_FILE = {"bits": _SIZE, "group_size": _SIZE}
_KEYS: Mapping[str, Mapping[str, _Check]] = {
    "torchao": {"quant_type": _one_of(*TORCHAO), "group_size": _SIZE},
    "bitsandbytes": {
        "load_in_4bit": _SWITCH,
        "load_in_8bit": _SWITCH,
        "bnb_4bit_quant_type": _one_of("nf4", "fp4"),
        "bnb_4bit_compute_dtype": _one_of("float32", "bfloat16", "float16"),
        "bnb_4bit_use_double_quant": _SWITCH,
        "llm_int8_threshold": _LIMIT,
    },
    "fp8": {"weight_block_size": _BLOCK},
    **dict.fromkeys(OF_CHECKPOINTS, _ON_FILE),
}


def kind_of(config: Mapping[str, Any]) -> Kind:
    """Return what is asked for, of a configuration that was checked and is no checkpoint's."""
    method = config["quant_method"]
    return TORCHAO[config["quant_type"]] if method == "torchao" else _OTHERS[method]


def check_quantisation(config: Mapping[str, Any]) -> None:
    """Raise ValueError for a configuration that no library would understand as it is meant."""
    method = str(config.get("quant_method"))
    if method not in _KEYS:
        raise ValueError(f"`{_SETTING}.quant_method` is one of {', '.join(_KEYS)}, not {method}")
    known = _KEYS[method]
    for name, value in config.items():
        if name == "quant_method":
            continue
        if name not in known:
            raise ValueError(
                f"`{_SETTING}.{name}` is nothing that `{method}` takes here; it takes "
                f"{', '.join(known)}"
            )
        if not known[name].is_valid(value):
            raise ValueError(f"`{_SETTING}.{name}` is {known[name].wanted}, not {value!r}")
    if method == "torchao":
        _check_torchao(config)
    if method == "bitsandbytes":
        _check_bitsandbytes(config)


def _check_torchao(config: Mapping[str, Any]) -> None:
    name = config.get("quant_type")
    if name is None:
        raise ValueError(f"`{_SETTING}.quant_type` is missing; it is one of {', '.join(TORCHAO)}")
    if "group_size" in config and not TORCHAO[name].takes_groups:
        raise ValueError(f"`{_SETTING}.group_size` has no meaning for {name}; leave it out")


def _check_bitsandbytes(config: Mapping[str, Any]) -> None:
    if bool(config.get("load_in_4bit")) == bool(config.get("load_in_8bit")):
        raise ValueError(f"set one of `{_SETTING}.load_in_4bit` and `.load_in_8bit` to true")
    unused = "llm_" if config.get("load_in_4bit") else "bnb_4bit_"
    if name := next((name for name in config if name.startswith(unused)), None):
        raise ValueError(f"`{_SETTING}.{name}` belongs to the other number of bits; leave it out")
