"""Text for a terminal that lacks some of its signs."""

from __future__ import annotations

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
    without an encoding takes any text.
    """
    if encoding is None or _has(text, encoding):
        return text
    for sign, plain in _PLAIN.items():
        if not _has(sign, encoding):
            text = text.replace(sign, plain)
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):  # no encoding that Python knows
        return text.encode("ascii", "backslashreplace").decode("ascii")


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (LookupError, UnicodeError):
        return False
    return True
