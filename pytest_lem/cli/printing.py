"""What a command prints, and where."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable

#: Into a file or a pipe a row has one line, however long.
_UNLIMITED = 10_000


def say(text: str) -> None:
    """Print the output of a command."""
    _be_lenient()
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def draw(render: Callable[..., str]) -> None:
    """Print what `render` returns for the width and the colours of the output."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _UNLIMITED
    say(_trimmed(render(width=width, is_colored=is_terminal and "NO_COLOR" not in os.environ)))


def drawn(render: Callable[..., str]) -> str:
    """Return what `render` returns for a file: no limit of width, no colours."""
    return _trimmed(render(width=_UNLIMITED, is_colored=False))


def complain(sentence: str) -> None:
    """Print what is wrong, apart from the output."""
    print(sentence, file=sys.stderr)  # noqa: T201 - the output of a command


def _trimmed(text: str) -> str:
    """Return a text without the spaces in which cells of tables end."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _be_lenient() -> None:
    """Let a character that the output lacks, such as ±, be replaced and not end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
