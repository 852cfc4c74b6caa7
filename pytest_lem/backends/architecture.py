"""What the configuration of a model says of its layers, as far as counting its arithmetic needs it.

Imports the standard library only. What is not told plainly raises `UntoldError` and is not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.shape import number_in

#: Keys that begin like this belong to layers without attention, or to mixtures of several kinds.
_OTHER_LAYERS = ("mamba", "ssm", "rwkv", "attn_layer", "block_types", "hybrid", "linear_")
#: Models of which all layers have the sliding window that the configuration names.
_ALL_WINDOWED = frozenset({"mistral", "mixtral", "phi3", "starcoder2"})
#: Models whose first `max_window_layers` layers have none, and the others have it where it is on.
_LATE_WINDOWED = frozenset({"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})


class UntoldError(Exception):
    """Something that the files of a model do not tell; the text says what, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The layers of a language model.

    Attributes:
        head_size: numbers of a head, the mean of keys and values where these differ.
        experts: of each layer that has any; None for models without.
        experts_per_token: to how many of them a token goes, shared ones left out.
        full_layers: layers whose attention looks at all tokens before.
        window_layers: layers whose attention looks at the last `window` tokens only.

    """

    layers: int
    heads: int
    kv_heads: int | None
    head_size: int
    hidden_size: int
    vocabulary: int | None
    experts: int | None
    experts_per_token: int | None
    full_layers: int
    window_layers: int
    window: int | None


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Read a configuration in the names of Llama and its kin, or in those of GPT-2."""
    if config.get("is_encoder_decoder"):
        raise UntoldError("it has an encoder, whose arithmetic is not counted")
    layers = _needed(config, "num_hidden_layers", "n_layer")
    heads = _needed(config, "num_attention_heads", "n_head")
    hidden_size = _needed(config, "hidden_size", "n_embd")
    full_layers, window_layers, window = _attention(config, layers)
    kv_heads = number_in(config, "num_key_value_heads")
    if kv_heads is None and not config.get("multi_query"):
        kv_heads = heads
    return Architecture(
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_size=_head_size(config, hidden_size // heads),
        hidden_size=hidden_size,
        vocabulary=number_in(config, "vocab_size"),
        experts=number_in(
            config, "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"
        ),
        experts_per_token=number_in(
            config, "num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k"
        ),
        full_layers=full_layers,
        window_layers=window_layers,
        window=window,
    )


def _needed(config: Mapping[str, Any], *names: str) -> int:
    found = number_in(config, *names)
    if found is None:
        raise UntoldError(f"its configuration does not say `{names[0]}` in one number")
    return found


def _head_size(config: Mapping[str, Any], usual: int) -> int:
    """Return the numbers of a head; of compressed keys and values, those after expanding."""
    if "global_head_dim" in config:
        raise UntoldError("its layers have heads of different sizes")
    if config.get("kv_lora_rank"):
        keys = _needed(config, "qk_nope_head_dim") + _needed(config, "qk_rope_head_dim")
        return (keys + _needed(config, "v_head_dim")) // 2
    return number_in(config, "head_dim") or usual


def _attention(config: Mapping[str, Any], layers: int) -> tuple[int, int, int | None]:
    """Return the layers with full attention, those with a window, and how long that is."""
    if any(name.startswith(_OTHER_LAYERS) for name in config):
        raise UntoldError("it has layers of another kind than attention")
    window = number_in(config, "sliding_window")
    kinds = list(config.get("layer_types") or ())[:layers]
    if set(kinds) - {"full_attention", "sliding_attention"}:
        raise UntoldError("it has layers with attention of another kind")
    if kinds:
        windowed = kinds.count("sliding_attention")
        if windowed and window is None:
            raise UntoldError(
                "its configuration does not say how long the window of its attention is"
            )
        return layers - windowed, windowed, window if windowed else None
    family = str(config.get("model_type"))
    is_on = config.get("use_sliding_window", family not in _LATE_WINDOWED)
    if window is None or not is_on:
        return layers, 0, None
    if family in _ALL_WINDOWED:
        return 0, layers, window
    if family in _LATE_WINDOWED:
        full = min(number_in(config, "max_window_layers") or 0, layers)
        return full, layers - full, window
    raise UntoldError("its configuration does not say which layers have a window")
