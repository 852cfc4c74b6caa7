"""The parameters that a token is multiplied with, counted from the shapes of a model's tensors.

Imports the standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.architecture import Architecture, UntoldError
from pytest_lem.backends.shape import Tensor, number_in

#: Types of tensors whose shape is that of the matrix; in all others, several numbers are packed.
PLAIN = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8"})
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|embed_out)\.weight$|^output\.weight$")
_EMBEDDING = re.compile(
    r"(?:^|\.)(?:embed_tokens|wte|embed_in|word_embeddings|tok_embeddings|token_embd)\.weight$"
)
#: Looked up and not multiplied with, such as positions.
_LOOKED_UP = re.compile(r"(?:^|\.)(?:\w*embed\w*|\w*embd\w*|wte|wpe|token_types)\.weight$")
#: Parts of models that also see or hear, which text does not go through.
_TOWER = re.compile(
    r"(?:^|\.)(?:vision\w*|visual|audio\w*|image\w*|multi_modal_projector|mm_projector)\."
)
#: What torchao calls a matrix that it stores in whole bytes.
_QUANTISED = "._weight_qdata"
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block|blk)\.(\d+)\.")
_EXPERT = re.compile(r"\.experts\.|_exps\.")

#: Models of matrices in Llama's way: an MLP of three, attention of four, nothing else but experts.
_GATED = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "granite"}
    | {"olmo", "olmo2", "smollm3", "mixtral", "qwen2_moe", "qwen3_moe"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """Numbers of parameters in matrices of the language model.

    Attributes:
        body: those of all layers that one token is multiplied with: of experts, those it goes to.
        idle: those of the experts that it does not go to.
        head: those of the output head, whether it is the embedding as well or not.

    """

    body: int
    idle: int
    head: int


def matrices_in(tensors: Iterable[Tensor], known: Architecture) -> Matrices:
    """Count the matrices in a model's files.

    Raises UntoldError where shapes do not tell them, such as those of packed weights.
    """
    body = experts = 0
    head = embedding = None
    for tensor in tensors:
        name, count = tensor.name, math.prod(tensor.shape)
        layer = _LAYER.search(name)
        is_beyond = layer is not None and int(layer[1]) >= known.layers  # predicts further tokens
        if len(tensor.shape) < 2 or is_beyond or name.endswith("bias") or _TOWER.search(name):  # noqa: PLR2004 - a matrix has two
            continue
        if tensor.dtype not in PLAIN:
            raise UntoldError("its weights are packed, so that their shapes tell nothing")
        if _HEAD.search(name):
            head = count
        elif _EMBEDDING.search(name):
            embedding = count
        elif _EXPERT.search(name):
            experts += count
        elif name.endswith((".weight", _QUANTISED)) and not _LOOKED_UP.search(name):
            body += count
    head = head or embedding
    if not (body and head):
        raise UntoldError("its files do not name their matrices in a way that is known here")
    active = _active(experts, known)
    return Matrices(body=body + active, idle=experts - active, head=head)


def _active(experts: int, known: Architecture) -> int:
    """Return the parameters of the experts to which a token goes."""
    if experts == 0:
        return 0
    if known.experts is None or known.experts_per_token is None:
        raise UntoldError("its configuration does not say to how many experts a token goes")
    return experts * known.experts_per_token // known.experts


def matrices_by(config: Mapping[str, Any], known: Architecture) -> Matrices:
    """Count the matrices that the configuration of a well-known model describes.

    Raises UntoldError for any other.
    """
    if config.get("model_type") not in _GATED or known.vocabulary is None:
        raise UntoldError(
            "neither its weights nor its configuration tell the shapes of its matrices"
        )
    if known.kv_heads is None:
        raise UntoldError("its configuration does not say `num_key_value_heads`")
    attention = 2 * known.hidden_size * (known.heads + known.kv_heads) * known.head_size
    body, idle = known.layers * attention, 0
    for layer in range(known.layers):
        active, unused = _mlp(config, known, layer)
        body, idle = body + active, idle + unused
    return Matrices(body=body, idle=idle, head=known.hidden_size * known.vocabulary)


def _mlp(config: Mapping[str, Any], known: Architecture, layer: int) -> tuple[int, int]:
    """Return the parameters of a layer's MLP that a token is multiplied with, and the others."""
    hidden = known.hidden_size
    if not _has_experts(config, known, layer):
        return 3 * hidden * _size(config, "intermediate_size"), 0
    experts, used = known.experts or 0, known.experts_per_token
    if used is None:
        raise UntoldError("its configuration does not say to how many experts a token goes")
    is_plain = config["model_type"] == "mixtral"
    expert = (
        3 * hidden * _size(config, "intermediate_size" if is_plain else "moe_intermediate_size")
    )
    shared = number_in(config, "shared_expert_intermediate_size")
    beside = hidden * experts + (3 * hidden * shared + hidden if shared else 0)
    return beside + used * expert, (experts - used) * expert


def _has_experts(config: Mapping[str, Any], known: Architecture, layer: int) -> bool:
    step = number_in(config, "decoder_sparse_step") or 1
    is_dense = layer in (config.get("mlp_only_layers") or ())
    return known.experts is not None and not is_dense and (layer + 1) % step == 0


def _size(config: Mapping[str, Any], name: str) -> int:
    found = number_in(config, name)
    if found is None:
        raise UntoldError(f"its configuration does not say `{name}` in one number")
    return found
