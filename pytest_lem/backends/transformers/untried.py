"""Examples of options that this machine has no means to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_lem.backends.transformers.quantisation import OF_CHECKPOINTS, kind_of
from pytest_lem.backends.transformers.quantiser import (
    APART,
    asking,
    check_cpu_only,
    check_packages,
)
from pytest_lem.errors import LemError

#: Packages of kinds of attention, with the least version that the library takes.
_ATTENTION = {"flash_attention_2": {"flash-attn": "2.3.3"}}


def untried(options: Mapping[str, Any], *, gpus: int, has_interpreter: bool) -> str | None:
    """Return in a sentence what options need that is not here; see `Backend`.

    Only packages count that no extra brings: another one that is missing is a mistake.
    """
    try:
        _check(options, gpus=gpus, has_interpreter=has_interpreter)
    except LemError as error:
        return str(error)
    return None


def _check(options: Mapping[str, Any], *, gpus: int, has_interpreter: bool) -> None:
    needed: dict[str, Mapping[str, str]] = {}
    config, attention = options.get("quantization_config"), options.get("attn_implementation")
    if config and config["quant_method"] not in OF_CHECKPOINTS:
        kind = kind_of(config)
        is_on_gpu = gpus > 0 and options.get("device", "auto") != "cpu"
        check_cpu_only(asking(config), kind, is_on_gpu=is_on_gpu)
        needed[asking(config)] = kind.packages
    told = f"`backends.transformers.attn_implementation` asks for {attention}"
    needed[told] = _ATTENTION.get(attention or "", {})
    if has_interpreter:
        return
    for asked, packages in needed.items():
        check_packages(asked, {name: oldest for name, oldest in packages.items() if name in APART})
