"""A checksum over the weights of a model, fast enough for large ones, on any device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pytest_lem.backends.transformers.weights import parts

#: Words that are summed at a time, each widened to 8 bytes.
_CHUNK = 1 << 22


def checksum_of(torch: Any, model: Any) -> str:
    """Return a checksum of names, types, shapes and bits of all parameters and buffers.

    Each chunk of a tensor counts by the sum of its words, and by their sum with the place of each
    as weight, so that words that change places show.
    """
    found = hashlib.sha256()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        for part in parts(torch, tensor.detach()):
            for sums in _sums(torch, part):
                found.update(f" {sums}".encode())
    return found.hexdigest()


def _sums(torch: Any, tensor: Any) -> Iterator[list[int]]:
    words = _words(torch, tensor)
    places = torch.arange(1, min(_CHUNK, len(words)) + 1, device=words.device)
    for chunk in words.split(_CHUNK):
        wide = chunk.to(torch.int64)
        yield torch.stack([wide.sum(), wide @ places[: len(wide)]]).tolist()


def _words(torch: Any, tensor: Any) -> Any:
    """Return the bits of a tensor as whole numbers, in the widest words that fit."""
    types = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    flat = tensor.contiguous().reshape(-1)
    return flat.view(types.get(tensor.element_size(), torch.uint8))
