"""What ended a test: its kind and its sentence."""

from __future__ import annotations

from pytest_lem.errors import FailureKind, LemError


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """Return the kind of an error and the first line of what it says."""
    sentence = (str(error).strip() or type(error).__name__).partition("\n")[0]
    # What an engine says is shown in terminals, which must not obey it.
    return _kind(error), "".join(c if c.isprintable() else "?" for c in sentence)


def explained(error: BaseException) -> BaseException:
    """Return what a test is told: of a timer that ran out while a backend worked, a sentence."""
    kind, sentence = failure_of(error)
    if isinstance(error, LemError) or kind is not FailureKind.TIMEOUT:
        return error
    return LemError(
        f"{sentence.rstrip('.')} while the backend was at work; its process was killed. Raise the "
        "timeout, or shorten the case",
        kind=kind,
    )


def _kind(error: BaseException) -> FailureKind:
    if isinstance(error, LemError):
        return error.kind
    # pytest-timeout fails a test like any other failure; only its words tell.
    if "from pytest-timeout" in str(error):
        return FailureKind.TIMEOUT
    return FailureKind.TEST
