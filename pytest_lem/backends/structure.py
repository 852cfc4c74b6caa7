"""The structure of a model that was loaded: what counting its arithmetic takes, as plain JSON.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_lem.backends.architecture import Architecture, UntoldError, architecture_of
from pytest_lem.backends.demo import DEMO_MODEL, demo_gguf
from pytest_lem.backends.matrices import Matrices, matrices_by, matrices_in
from pytest_lem.backends.shape import Tensor, folder_of, json_in, safetensors_in, tensors_in
from pytest_lem.errors import LemError

#: Names in the metadata of GGUF files, and in the configurations of Hugging Face.
_IN_GGUF = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.sliding_window": "sliding_window",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "ssm.conv_kernel": "ssm",
    "vocab_size": "vocab_size",
}


def structure_of(model: str, revision: str | None = None) -> dict[str, Any]:
    """Return the structure of a model by what the user wrote, or only the `reason` why not.

    `revision` is the commit of one out of the cache of the Hugging Face hub.
    """
    try:
        known, matrices, source = _found(model, revision)
    except UntoldError as reason:
        return {"reason": str(reason)}
    counts = {f"{part}_parameters": count for part, count in asdict(matrices).items()}
    return {**asdict(known), **counts, "source": source}


def _found(model: str, revision: str | None) -> tuple[Architecture, Matrices, str]:
    """Return what is known of the layers and the matrices, and by which file."""
    path = Path(model).expanduser()
    if path.is_file():
        return _in_gguf(path)
    folder = folder_of(model)
    if folder is None and model == DEMO_MODEL:
        return _in_gguf(_demo())
    if folder is None:
        raise UntoldError("its files are not on this machine")
    if revision and (folder.parent / revision).is_dir():
        folder = folder.parent / revision
    config = json_in(folder / "config.json")
    if config is None:
        raise UntoldError("it has no config.json that can be read")
    text = config.get("text_config")  # the language part of models that also see
    config = text if isinstance(text, dict) else config
    known = architecture_of(config)
    try:
        return known, _in_folder(folder, known), "weights"
    except UntoldError:
        return known, matrices_by(config, known), "configuration"


def _in_folder(folder: Path, known: Architecture) -> Matrices:
    files = safetensors_in(folder)
    try:
        tensors = [tensor for path in files for tensor in tensors_in(path)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # damaged in whatever way
        raise UntoldError("its weights cannot be read") from None
    return matrices_in(tensors, known)


def _demo() -> Path:
    try:
        return demo_gguf()
    except LemError:
        raise UntoldError("its files are not on this machine") from None


def _in_gguf(path: Path) -> tuple[Architecture, Matrices, str]:
    from pytest_lem.backends.llama_cpp.gguf import read_header

    try:
        header = read_header(path)
    except (OSError, LemError):
        raise UntoldError("its file is no GGUF file that can be read") from None
    config = _config(header.metadata, header.architecture)
    known = architecture_of(config)
    # Whatever their type, shapes in such a file are those of the matrices.
    tensors = [Tensor(name, "F32", shape, 0) for name, shape in header.shapes.items()]
    return known, matrices_in(tensors, known), "gguf"


def _config(metadata: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Return the metadata of a GGUF file under the names of Hugging Face."""
    found = {ours: metadata.get(f"{family}.{theirs}") for theirs, ours in _IN_GGUF.items()}
    known = {name: value for name, value in found.items() if value is not None}
    return {"model_type": family, **known}
