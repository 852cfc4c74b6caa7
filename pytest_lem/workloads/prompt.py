"""A prompt: a text, and how long it is to be."""

from __future__ import annotations

from typing import NamedTuple


class Prompt(NamedTuple):
    """A text to send.

    Attributes:
        text: as it is written.
        tokens: its exact length: repeated and cut to it; None: as it is.

    """

    text: str
    tokens: int | None = None
