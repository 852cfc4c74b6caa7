"""What transformers and PyTorch can be told, in their own names."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lem.backends.option import BackendOptions, option


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersOptions(BackendOptions):
    """Settings of transformers and PyTorch."""

    device: str = option(
        "auto",
        "Where the model runs; `auto` is CUDA if PyTorch sees it, else the CPU.",
        ["cpu"],
        on_gpu=["cuda", "cuda:0"],
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
    )
    attn_implementation: str | None = option(
        None,
        "Attention implementation; null: the library's choice.",
        ["eager", "sdpa"],
        on_gpu=["flash_attention_2"],
    )
    num_threads: int | None = option(
        None, "Threads of PyTorch on the CPU; null: PyTorch's choice.", [1, 2], ge=1
    )
    revision: str | None = option(
        None, "Commit or branch of a Hugging Face id.", ["main"], is_read_back=False
    )
    trust_remote_code: bool = option(
        False,
        "Run code that comes with the model. Read that code first.",
        [False],
        is_read_back=False,
    )
