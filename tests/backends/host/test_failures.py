"""How an error in a host process is told."""

import re
import warnings

import pytest

from pytest_lem import FailureKind, LemError
from pytest_lem.backends.host.failures import described, recorded_warnings


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 40 bytes"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=["python", "cuda", "torch on the cpu", "system"],
)
def test_running_out_of_memory_is_known_by_its_words(error):
    """Whoever reports it, it is `oom`, with what to do."""
    found = described(error)
    assert found["kind"] == FailureKind.OOM
    assert found["sentence"].startswith(f"the backend ran out of memory ({type(error).__name__}: ")
    assert "take a smaller batch" in found["sentence"]


def test_another_error_is_the_engines():
    """Type and first line of the message are in the sentence, the rest is detail."""
    found = described(ValueError("no such layer\nlong explanation"))
    assert found["kind"] == FailureKind.ENGINE
    assert "ValueError: no such layer;" in found["sentence"]
    assert "long explanation" not in found["sentence"]
    assert "long explanation" in found["detail"]


def test_an_error_without_words_is_told_all_the_same():
    """An error that says nothing is known by its type."""
    assert "AssertionError: no message" in described(AssertionError())["sentence"]


def test_our_own_errors_keep_kind_and_sentence():
    """A backend's LemError arrives as it was raised, and has no traceback to show."""
    error = LemError("too long; shorten it", kind=FailureKind.DATA)
    assert described(error) == {"kind": "data", "sentence": "too long; shorten it", "detail": ""}


def test_the_cause_of_our_own_error_is_detail():
    """What a library raised is kept for the log."""
    error = LemError("cannot load", kind=FailureKind.DATA)
    error.__cause__ = OSError("header is cut short")
    assert "OSError: header is cut short" in described(error)["detail"]


def test_warnings_are_collected_once_each():
    """Equal warnings are one entry, in a fixed order, and are not printed."""
    with recorded_warnings() as found:
        for text in ("b", "a", "b"):
            warnings.warn(text, DeprecationWarning, stacklevel=1)
    assert found == [
        {"category": "DeprecationWarning", "message": "a"},
        {"category": "DeprecationWarning", "message": "b"},
    ]


def test_detail_begins_at_the_backend():
    """A traceback leaves out the frames of the host process itself."""
    from pytest_lem.backends.host import messages

    with pytest.raises(ValueError, match=re.escape("JSON")) as caught:
        messages.encode("run", value=float("nan"))
    assert "json/" in described(caught.value)["detail"]
