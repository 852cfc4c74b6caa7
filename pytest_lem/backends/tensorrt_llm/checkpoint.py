"""What the files of a model say by which TensorRT-LLM goes.

Imports the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lem.backends.models import ModelSource
from pytest_lem.errors import FailureKind, LemError, config_error

#: What the library takes where a configuration names no type.
_USUAL_DTYPE = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model directory.

    Attributes:
        folder: where its files are; that of a commit, for a model of the hub.
        architecture: name of the class that the model is an instance of.
        dtype: the type in which it is computed, where it is not quantised.
        context_length: positions that it knows.
        has_code: whether it comes with code of its own.

    """

    folder: Path
    architecture: str | None
    dtype: str
    context_length: int | None
    has_code: bool


def find_folder(source: ModelSource, revision: str | None) -> Path:
    """Return the folder of a model; of one on the hub, its configuration is fetched.

    Raises LemError (`data`) if that fails.
    """
    if source.is_local:
        return Path(source.location)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source.location, "config.json", revision=revision)).parent
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LemError(
            f"cannot load the model {source.location}: {reason}", kind=FailureKind.DATA
        ) from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the configuration; raises LemError (`data`) for one that is no JSON object."""
    config = _json(folder / "config.json")
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, dict) else config
    dtype = text.get("dtype") or text.get("torch_dtype") or _USUAL_DTYPE
    length = text.get("max_position_embeddings")
    return Checkpoint(
        folder=folder,
        architecture=next(iter(config.get("architectures") or ()), None),
        dtype=str(dtype).removeprefix("torch."),
        context_length=length if isinstance(length, int) else None,
        has_code="auto_map" in config,
    )


def check_code(checkpoint: Checkpoint, *, is_trusted: bool) -> None:
    """Refuse a model that comes with code, unless that is trusted.

    Workers of TensorRT-LLM may run it without asking what `LLM` was told.
    """
    if checkpoint.has_code and not is_trusted:
        raise config_error(
            f"the model in {checkpoint.folder} comes with code of its own; read it, and set "
            "`backends.tensorrt_llm.trust_remote_code` to true to let it run"
        )


def end_ids(folder: Path) -> frozenset[int]:
    """Return the ends of a sequence that the configuration of the generation names."""
    path = folder / "generation_config.json"
    told = _json(path).get("eos_token_id") if path.is_file() else None
    return frozenset(i for i in (told if isinstance(told, list) else [told]) if i is not None)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LemError(f"cannot read {path}: {error}", kind=FailureKind.DATA) from error
    if not isinstance(found, dict):
        raise LemError(f"cannot read {path}: it is no JSON object", kind=FailureKind.DATA)
    return found
