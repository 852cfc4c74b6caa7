"""Paths as a page shows them: a reader elsewhere has no use for somebody's folders."""

from __future__ import annotations

import re

#: A path from the root, from a home or from above, where a word begins. Two slashes alone begin the
#: host of a URL, and are left; a third one begins a path on this machine.
_PATH = re.compile(r"(^|[\s=:,])((?:~[\w.-]*|(?:\.\.)(?:/\.\.)*)?(?:/(?!/)|/{3,})[^,:=]*)")


def without_folders(text: str) -> str:
    """Return a text with the last name alone of every path that tells of folders elsewhere."""
    return _PATH.sub(_last, text)


def _last(found: re.Match[str]) -> str:
    before, path = found.groups()
    name = path.rstrip("/").rpartition("/")[2]
    return f"{before}{name or '/'}"
