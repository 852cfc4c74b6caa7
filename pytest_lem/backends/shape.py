"""What a model's files say of it before it is loaded: its shape, and how many weights there are.

Imports the standard library only. What the files do not say plainly is unknown, and so is what
cannot be read: the library says better what is wrong with it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytest_lem.backends.demo import DEMO_MODEL, demo_gguf
from pytest_lem.cache import cache_folder
from pytest_lem.errors import LemError

#: Bytes of a number, by precision.
BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "fp8": 1}
#: Bytes of the numbers that libraries convert, by their names in safetensors.
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_LONGEST_HEADER = 100_000_000  # bytes, the limit of the format


class Tensor(NamedTuple):
    """A tensor in a file: its type by the name in safetensors, its shape, and what it takes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights in a model's files.

    Attributes:
        floats: numbers that are converted to the precision that is asked for.
        floats_bytes: what these take as they are stored.
        kept_bytes: what all others take, which stay as they are: quantised ones.

    """

    floats: int
    floats_bytes: int
    kept_bytes: int = 0

    def loaded_bytes(self, precision: str) -> int | None:
        """Return what they take in a precision; None for one whose numbers have no known size."""
        if precision == "auto" or self.floats == 0:
            return self.floats_bytes + self.kept_bytes
        wanted = BYTES.get(precision)
        return None if wanted is None else self.floats * wanted + self.kept_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the configuration of a model says; None is unknown.

    Attributes:
        context_length: the longest sequence; None where positions are scaled beyond it.
        kv_numbers: how many numbers a token adds to the KV cache; None where layers do not all
            keep all keys and values.

    """

    heads: int | None = None
    kv_heads: int | None = None
    layers: int | None = None
    hidden_size: int | None = None
    context_length: int | None = None
    kv_numbers: int | None = None
    weights: Weights | None = None


def shape_of(model: str) -> Shape | None:
    """Return what is known of a model by what the user wrote; None when its files are not here."""
    folder = folder_of(model)
    config = json_in(folder / "config.json") if folder else None
    if folder is None or config is None:
        return None
    text = config.get("text_config")  # the language part of models that also see
    return _shape(text if isinstance(text, dict) else config, _weights(folder, config))


def folder_of(model: str) -> Path | None:
    """Return the local directory of a model, None where there is none.

    The demo model has one once it is converted, a Hugging Face id once it is downloaded.
    """
    if model == DEMO_MODEL:
        return _newest(cache_folder() / "models", f"{DEMO_MODEL}-*")
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    return _newest(_hub_cache() / f"models--{model.replace('/', '--')}" / "snapshots", "*")


def files_of(model: str) -> list[Path]:
    """Return the files of a model that are on this machine, the demo model's in both its forms."""
    path = Path(model).expanduser()
    if path.is_file():
        return [path]
    folder = folder_of(model)
    found = [path for path in folder.iterdir() if path.is_file()] if folder else []
    if model == DEMO_MODEL:
        with contextlib.suppress(LemError):  # not installed
            found.append(demo_gguf())
    return sorted(found)


def _newest(folder: Path, pattern: str) -> Path | None:
    found = [path for path in folder.glob(pattern) if (path / "config.json").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _hub_cache() -> Path:
    """Return where the Hugging Face hub keeps what it downloads."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def _shape(config: Mapping[str, Any], weights: Weights | None) -> Shape:
    """Read a configuration in the names of Llama and its kin, or in those of GPT-2."""
    heads = number_in(config, "num_attention_heads", "n_head")
    kv_heads = number_in(config, "num_key_value_heads")
    if kv_heads is None and not config.get("multi_query"):
        kv_heads = heads
    layers = number_in(config, "num_hidden_layers", "n_layer")
    hidden_size = number_in(config, "hidden_size", "n_embd")
    head_size = number_in(config, "head_dim")
    if head_size is None and heads and hidden_size:
        head_size = hidden_size // heads
    kv_numbers = None
    if layers and kv_heads and head_size and not _is_mixed(config):
        kv_numbers = 2 * layers * kv_heads * head_size
    length = number_in(config, "max_position_embeddings", "n_positions")
    return Shape(
        heads=heads,
        kv_heads=kv_heads,
        layers=layers,
        hidden_size=hidden_size,
        context_length=None if _is_scaled(config) else length,
        kv_numbers=kv_numbers,
        weights=weights,
    )


def number_in(config: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these that is a whole number above 0."""
    found = (config.get(name) for name in names)
    return next((n for n in found if isinstance(n, int) and n > 0), None)


def _is_scaled(config: Mapping[str, Any]) -> bool:
    """Tell whether rotary positions are stretched, for all layers or for some of them."""
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    kinds = {rope.get("rope_type"), rope.get("type")} - {None, "default"}
    return bool(kinds) or any(isinstance(value, dict) for value in rope.values())


def _is_mixed(config: Mapping[str, Any]) -> bool:
    """Tell whether some layers keep less than all keys and values."""
    has_window = config.get("sliding_window") and config.get("use_sliding_window", True)
    kinds = set(config.get("layer_types") or ()) - {"full_attention"}
    return bool(kinds or has_window or "kv_lora_rank" in config)


def _weights(folder: Path, config: Mapping[str, Any]) -> Weights | None:
    """Count the weights in the files that libraries take: safetensors first, then PyTorch's."""
    if files := safetensors_in(folder):
        return _in_safetensors(files)
    if files := sorted(folder.glob("*.bin")):
        stored = BYTES.get(str(config.get("dtype") or config.get("torch_dtype")))
        size_bytes = sum(path.stat().st_size for path in files)
        return Weights(floats=size_bytes // stored, floats_bytes=size_bytes) if stored else None
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:  # of several, somebody chooses one
        return None
    return Weights(floats=0, floats_bytes=0, kept_bytes=files[0].stat().st_size)


def safetensors_in(folder: Path) -> list[Path]:
    """Return the files that the index names, else all; some models come in two forms."""
    if index := json_in(folder / "model.safetensors.index.json"):
        return sorted({folder / name for name in index.get("weight_map", {}).values()})
    only = folder / "model.safetensors"
    return [only] if only.is_file() else sorted(folder.glob("*.safetensors"))


def _in_safetensors(files: list[Path]) -> Weights | None:
    floats = floats_bytes = kept_bytes = 0
    try:
        for tensor in (tensor for path in files for tensor in tensors_in(path)):
            if tensor.dtype in _FLOATS:
                floats += tensor.size_bytes // _FLOATS[tensor.dtype]
                floats_bytes += tensor.size_bytes
            else:
                kept_bytes += tensor.size_bytes
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # damaged in whatever way
        return None
    return Weights(floats=floats, floats_bytes=floats_bytes, kept_bytes=kept_bytes)


def tensors_in(path: Path) -> Iterator[Tensor]:
    """Yield each tensor of a safetensors file, out of its header.

    The header is JSON after its length in eight bytes. Raises OSError, ValueError, TypeError,
    KeyError or AttributeError for a file that is damaged.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length) if length <= _LONGEST_HEADER else "")
    for name, tensor in header.items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            yield Tensor(name, tensor["dtype"], tuple(tensor["shape"]), last - first)


def json_in(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
