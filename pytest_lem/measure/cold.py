"""A cold start: a host with empty caches, for a model whose files are not in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_lem.backends.shape import files_of

#: Where vLLM, PyTorch's compiler and Triton keep what they have made.
_CACHES = ("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The caches of one host, in a folder of their own."""

    folder: str

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment that leads the engine there."""
        return {name: f"{self.folder}/{name.lower()}" for name in _CACHES}

    def make_cold(self, model: str) -> dict[str, Any]:
        """Put the files of a model out of memory; return what was done, for the record.

        `dropped_bytes` is the size of those files, null where the model is not on this machine.
        """
        files = files_of(model)
        dropped_bytes = drop_from_memory(files) if files else None
        return {"empty_caches": list(_CACHES), "dropped_bytes": dropped_bytes}


@contextmanager
def cold_start() -> Iterator[ColdStart]:
    """Give empty caches until their host has ended."""
    with TemporaryDirectory(prefix="lem-cold-", ignore_cleanup_errors=True) as folder:
        yield ColdStart(folder)


def drop_from_memory(files: Iterable[Path]) -> int:
    """Ask the kernel to forget files; return how many bytes they have.

    It needs no rights beyond reading. What another process has mapped stays, and so does what is
    on a file system in memory.
    """
    dropped_bytes = 0
    for path in files:
        with path.open("rb") as file:
            os.fdatasync(file.fileno())  # what is not yet on disk cannot be forgotten
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            dropped_bytes += path.stat().st_size
    return dropped_bytes
