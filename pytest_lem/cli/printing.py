"""What a command prints, and where."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable

#: Characters that are written at once.
_PIECE = 2**20


def say(text: str) -> None:
    """Print the output of a command."""
    _be_lenient()
    for start in range(0, len(text), _PIECE):  # a document may be large, and so is a copy of it
        sys.stdout.write(text[start : start + _PIECE])
    if not text.endswith("\n"):
        sys.stdout.write("\n")


def draw(render: Callable[..., str]) -> None:
    """Print what `render` returns for the width and the colours of the output."""
    from pytest_lem.reports.console import UNLIMITED, trimmed
    from pytest_lem.reports.spelling import spelled

    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else UNLIMITED
    text = render(width=width, is_colored=is_terminal and "NO_COLOR" not in os.environ)
    say(spelled(trimmed(text), sys.stdout.encoding))


def complain(sentence: str) -> None:
    """Print what is wrong, apart from the output."""
    print(sentence, file=sys.stderr)  # noqa: T201 - the output of a command


def _be_lenient() -> None:
    """Let a character that the output lacks, such as ±, be replaced and not end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
