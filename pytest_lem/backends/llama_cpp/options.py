"""What llama.cpp can be told, in the names of its `CommonParams` and of `llama-server --help`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_lem.backends.option import BackendOptions, option

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]

_FLOATS = ("f32", "f16", "bf16")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaCppOptions(BackendOptions):
    """Settings of llama.cpp. Null is its own choice, but for what a description says."""

    n_ctx: int | None = option(
        None,
        "Tokens in the context of each request, prompt and output; the KV cache has room for as "
        "many requests as the largest batch has. Null: what the model was trained with, but no "
        "more than 4096.",
        [256, 512],
        ge=1,
    )
    n_batch: int | None = option(
        None,
        "Most tokens of all requests together that are given to the model at once; null: 2048.",
        [64, 512],
        ge=2,
    )
    n_ubatch: int | None = option(
        None, "Most tokens that are computed at once; null: 512.", [32, 64], ge=1
    )
    n_threads: int | None = option(
        None, "Threads for generating; null: one for each core.", [1, 2], ge=1
    )
    n_threads_batch: int | None = option(
        None, "Threads for prompts; null: as many as `n_threads`.", [1, 2], ge=1
    )
    flash_attn: Literal["auto", "on", "off"] = option(
        "auto", "Flash attention; `auto`: where the device has it.", ["auto", "on", "off"]
    )
    cache_type_k: CacheType = option("f16", "Type of the keys in the KV cache.", ["f32", "q8_0"])
    cache_type_v: CacheType = option(
        "f16",
        "Type of the values in the KV cache; a quantised one needs flash attention.",
        ["f32", "q8_0"],
    )
    kv_unified: bool = option(
        False, "One KV cache for all requests, instead of a part for each.", [False, True]
    )
    cache_prompt: bool = option(
        False,
        "Reuse the cache of a prompt's beginning; with it, repeated prompts cost next to nothing.",
        [False, True],
        is_read_back=False,
    )
    cont_batching: bool = option(
        True,
        "Begin prompts while other requests generate.",
        [True, False],
        is_read_back=False,
    )
    load_mode: Literal["auto", "none", "mmap", "mlock", "mmap+mlock", "dio"] = option(
        "auto",
        "How the file is read: copied, mapped, locked in memory, or past the page cache.",
        ["none", "mmap", "dio"],
    )
    n_gpu_layers: int | Literal["auto", "all"] = option(
        "auto",
        "Layers on GPUs, where the output counts as one more; `auto`: as many as fit.",
        ["auto", 0],
        on_gpu=["all", 8],
    )
    split_mode: Literal["none", "layer", "row", "tensor"] = option(
        "layer",
        "How a model is spread over several GPUs.",
        ["none", "layer"],
        on_gpu=["row"],
        is_read_back=False,
    )
    main_gpu: int = option(
        0, "The GPU to use with `split_mode: none`.", [0], ge=0, is_read_back=False
    )
    tensor_split: tuple[float, ...] | None = option(
        None,
        "The share of each GPU, in any unit; null: by their free memory.",
        [[1.0]],
        on_gpu=[[3.0, 1.0]],
        is_read_back=False,
    )

    def __post_init__(self) -> None:
        """Refuse what excludes each other; pydantic makes a sentence of it."""
        if self.flash_attn == "off" and self.cache_type_v not in _FLOATS:
            raise ValueError(
                f"cache_type_v {self.cache_type_v} is quantised, which needs flash_attn: auto or on"
            )
        if self.n_batch and self.n_ubatch and self.n_ubatch > self.n_batch:
            raise ValueError(f"n_ubatch {self.n_ubatch} is above n_batch {self.n_batch}")
        if isinstance(self.n_gpu_layers, int) and self.n_gpu_layers < 0:
            raise ValueError("n_gpu_layers is negative; give a number of layers, auto or all")
        if self.tensor_split is not None and self.split_mode == "none":
            raise ValueError("tensor_split needs a split_mode other than none, which uses one GPU")
