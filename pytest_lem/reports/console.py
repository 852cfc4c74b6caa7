"""What rich draws, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType


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
        console.print(part)
    return buffer.getvalue()
