"""Signs before a name, which say without colour what a reader should look at first."""

from __future__ import annotations

#: It failed, or has regressed.
FAILED = "✗"
#: It is not to be trusted.
INVALID = "!"


def marked(name: str, *, is_failed: bool, is_invalid: bool) -> str:
    """Return a name with the signs that belong to it."""
    signs = f"{FAILED if is_failed else ''}{INVALID if is_invalid else ''}"
    return f"{signs} {name}" if signs else name
