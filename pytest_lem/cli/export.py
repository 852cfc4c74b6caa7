"""Where a report of a command goes: to a file, or to the output."""

from __future__ import annotations

from pathlib import Path

from pytest_lem.cli.printing import say
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.replace import replace


def put(content: bytes, output: Path | None, flag: str) -> None:
    """Print a text, or write it to a file; raises LemError (`storage`) where that is not possible.

    Somebody who reads the file meanwhile sees the old one or the whole new one. `flag` is the
    option that named it.
    """
    if output is None:
        say(_text(content))
        return
    try:
        replace(output, content)
    except OSError as error:
        raise LemError(
            f"{flag}: cannot write {output} ({error.strerror or 'unwritable'}); name another file",
            kind=FailureKind.STORAGE,
        ) from error


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise LemError(
            "the report is no text, whatever it says of itself; write it to a file with --output",
            kind=FailureKind.DATA,
        ) from None
