"""The id of a test without what does not define its case."""

from __future__ import annotations

import re

_CYCLE = re.compile(r"-cycle:\d+(?=\])|\[cycle:\d+\]")


def without_cycle(nodeid: str) -> str:
    """Return an id, or a name, without the cycle that `--lem-cycles` puts at its end."""
    return _CYCLE.sub("", nodeid)
