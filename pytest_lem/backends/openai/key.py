"""The API key: taken from its variable, and kept out of all that is told or written down."""

from __future__ import annotations

import os
from typing import TypeGuard

_HIDDEN = "***"
#: What is shorter is a placeholder (EMPTY, none), and may well stand in a text by chance.
_SHORTEST = 8


def key_in(variable: str) -> str | None:
    """Return the key in a variable of the environment; None where there is none."""
    return os.environ.get(variable, "").strip() or None


def is_secret(key: str | None) -> TypeGuard[str]:
    """Tell whether there is a key that nobody may see."""
    return key is not None and len(key) >= _SHORTEST


def hidden(text: str, key: str | None) -> str:
    """Return a text with `***` where the key stands, as it is or as Python quotes it.

    It goes over whole texts: a key that was cut in half would not be found.
    """
    if not is_secret(key):
        return text
    return text.replace(key, _HIDDEN).replace(repr(key)[1:-1], _HIDDEN)
