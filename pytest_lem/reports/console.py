"""What rich draws, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType

#: Into a file or a pipe a row has one line, however long.
UNLIMITED = 10_000


def trimmed(text: str) -> str:
    """Return a text without the spaces in which cells of tables end."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def text_from(parts: Iterable[RenderableType], *, width: int, is_colored: bool) -> str:
    """Return the parts as text, below each other. Colours only where they are wanted."""
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=is_colored,
        color_system="standard" if is_colored else None,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, crop=False)  # tables fit, and texts are folded
    return buffer.getvalue()
