"""What went wrong in the host process, as plain JSON."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_lem.errors import FailureKind, LemError

#: What engines and allocators say when memory runs out.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad alloc")


def described(error: Exception) -> dict[str, Any]:
    """Return kind, sentence and detail of an error."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, LemError):
        return {"kind": str(error.kind), "sentence": str(error), "detail": error.detail or detail}
    first = (str(error).strip() or "no message").splitlines()[0]
    cause = f"{type(error).__name__}: {first}"
    if _is_out_of_memory(error):
        return {
            "kind": str(FailureKind.OOM),
            "sentence": f"the backend ran out of memory ({cause}): take a smaller batch, shorter "
            "texts, a smaller precision or a smaller model",
            "detail": detail,
        }
    sentence = f"the backend failed with {cause}; its log has the traceback"
    return {"kind": str(FailureKind.ENGINE), "sentence": sentence, "detail": detail}


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


@contextmanager
def recorded_warnings() -> Iterator[list[dict[str, str]]]:
    """Collect the warnings raised inside, each text once."""
    found: list[dict[str, str]] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield found
    seen = {(w.category.__name__, str(w.message)) for w in caught}
    found.extend({"category": category, "message": text} for category, text in sorted(seen))
