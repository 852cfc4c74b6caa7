"""Text that shows what is in it, also on a terminal that lacks some of its signs."""

from __future__ import annotations

#: Characters that turn the direction of the text around them, and so can hide what it says.
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NAMED = {ord(mark): f"[U+{ord(mark):04X}]" for mark in TURNING}

#: Signs that not every terminal has, and what stands for them there. Those in tables are as wide as
#: what they stand for, so that columns stay in their places.
_PLAIN = {
    " ±": "+-",
    "±": "+-",
    "µ": "u",
    "✗": "x",
    "█": "#",
    "░": ".",
    "°": "",
    "…": "...",
    "≥": ">=",
}


def spelled(text: str, encoding: str | None) -> str:
    """Return a text so that it can be written in an encoding; nothing can keep it from being read.

    Our own signs get a likeness; any other character, such as those of names, its number. An output
    without an encoding takes any text. Marks that turn its direction are named.
    """
    text = unturned(text)
    if encoding is None or _has(text, encoding):
        return text
    for sign, plain in _PLAIN.items():
        if not _has(sign, encoding):
            text = text.replace(sign, plain)
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):  # no encoding that Python knows
        return text.encode("ascii", "backslashreplace").decode("ascii")


def unturned(text: str) -> str:
    """Return a text in which marks that turn its direction show as `[U+202E]`."""
    return text if text.isascii() else text.translate(_NAMED)


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (LookupError, UnicodeError):
        return False
    return True
