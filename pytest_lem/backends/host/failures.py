"""What went wrong in the host process, as plain JSON."""

from __future__ import annotations

import textwrap
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_lem.errors import FailureKind, LemError

_HERE = Path(__file__).parent

#: Engines explain at length; the log has all of it.
_LONGEST_REASON = 300
#: What engines and allocators say when memory runs out.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad alloc")


def described(error: Exception) -> dict[str, Any]:
    """Return kind, sentence and detail of an error."""
    if isinstance(error, LemError):
        detail = error.detail or (_traceback(error.__cause__) if error.__cause__ else "")
        return {"kind": str(error.kind), "sentence": str(error), "detail": detail}
    detail = _traceback(error)
    first = (str(error).strip() or "no message").splitlines()[0].rstrip(".")
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


def reason_of(error: BaseException) -> str:
    """Return the first line of an error, or the first thing that a validation found."""
    if isinstance(error, ValueError) and (found := getattr(error, "errors", None)):
        first = found()[0]
        field = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        reason = f"{field}: {text}" if field else str(text)
    else:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return textwrap.shorten(reason.rstrip("."), _LONGEST_REASON, placeholder="...")


def _traceback(error: BaseException) -> str:
    """Return the traceback from the backend on: the frames of the host process say nothing."""
    frames = error.__traceback__
    while frames and Path(frames.tb_frame.f_code.co_filename).parent == _HERE:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


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
