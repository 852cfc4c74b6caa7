"""The header of a GGUF file: what a model says of itself, and the types of its weights.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. llama.cpp checks the rest.
Imports the standard library only.
"""

from __future__ import annotations

import math
import mmap
import struct
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_lem.errors import FailureKind, LemError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
#: Numbers by their type in the file, as `struct` and `array` know them.
_NUMBERS = "BbHhIif?\0\0Qqd"
_CONTROL = 3
_MOST_DIMENSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """The metadata of a model, and its parameters by the number of their type in ggml.

    Lists of texts are left out of the metadata. `shapes` are those of the tensors by name, the
    dimension that changes fastest first.
    """

    metadata: dict[str, Any]
    parameters: dict[int, int]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Return the name of the architecture, empty if the file does not say."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def context_length(self) -> int | None:
        """Return how many tokens the model was trained with; None if the file does not say."""
        return self._number(f"{self.architecture}.context_length")

    @property
    def has_chat_template(self) -> bool:
        """Tell whether there is a chat template."""
        return "tokenizer.chat_template" in self.metadata

    @property
    def is_part(self) -> bool:
        """Tell whether the model is spread over several files."""
        return (self._number("split.count") or 0) > 1

    @property
    def control_ids(self) -> frozenset[int]:
        """Return the tokens that are no text, such as the end of a sequence."""
        types = self.metadata.get("tokenizer.ggml.token_type")
        kinds = enumerate(types) if isinstance(types, array) else ()
        return frozenset(token for token, kind in kinds if kind == _CONTROL)

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None


def read_header(path: Path) -> GgufHeader:
    """Read the header of a file; raises LemError (`data`) for what is none or is damaged."""
    if path.stat().st_size == 0:  # which cannot be mapped
        raise _unreadable(path, "it is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[: len(_MAGIC)] != _MAGIC:
            raise _unreadable(path, "it is no GGUF file")
        try:
            return _Reader(data).header()
        except ValueError as error:
            raise _unreadable(path, str(error)) from error


class _Reader:
    """Reads one thing after the other; raises ValueError with what is wrong."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._spot = len(_MAGIC)

    def header(self) -> GgufHeader:
        version = self._number("I")
        if version not in _VERSIONS:
            raise ValueError(f"it is in version {version} of the format")
        tensors, pairs = self._number("Q"), self._number("Q")
        metadata = {}
        for _ in range(pairs):
            key = self._text()
            value = self._value(self._number("I"))
            if value is not None:
                metadata[key] = value
        parameters, shapes = Counter[int](), {}
        for _ in range(tensors):
            name, kind, shape = self._tensor()
            parameters[kind] += math.prod(shape)
            shapes[name] = shape
        return GgufHeader(metadata=metadata, parameters=dict(parameters), shapes=shapes)

    def _tensor(self) -> tuple[str, int, tuple[int, ...]]:
        """Return name, type and shape."""
        name = self._text()
        dimensions = self._number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"it has a tensor of {dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        kind = self._number("I")
        self._number("Q")  # where the tensor begins
        return name, kind, shape

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            return self._list(self._number("I"), self._number("Q"))
        return self._number(_code(kind))

    def _list(self, kind: int, count: int) -> Any:
        if kind != _STRING:
            code = _code(kind).replace("?", "B")
            return array(code, self._take(count * struct.calcsize(f"<{code}")))
        self._skip_texts(count)
        return None

    def _skip_texts(self, count: int) -> None:
        """Pass over a list such as the vocabulary, which is long; each text follows its length."""
        data, spot = self._data, self._spot
        while count and spot < len(data):
            spot += 8 + int.from_bytes(data[spot : spot + 8], "little")
            count -= 1
        self._spot = spot
        self._skip(8 * count)  # fails if there are any left

    def _text(self) -> str:
        return self._take(self._number("Q")).decode("utf-8", "replace")

    def _take(self, length: int) -> bytes:
        first = self._spot
        self._skip(length)
        return self._data[first : self._spot]

    def _skip(self, length: int) -> None:
        self._spot += length
        if self._spot > len(self._data):
            raise ValueError("it is cut off in its header")

    def _number(self, code: str) -> Any:
        (value,) = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))
        return value


def _code(kind: int) -> str:
    code = _NUMBERS[kind : kind + 1].strip("\0")
    if not code:
        raise ValueError(f"it has a value of the unknown type {kind}")
    return code


def _unreadable(path: Path, reason: str) -> LemError:
    return LemError(
        f"cannot read {path}: {reason}; download it again, or name another model",
        kind=FailureKind.DATA,
    )
