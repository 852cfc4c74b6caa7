"""The language of the host process: versioned JSON lines over two pipes.

A line is one object with `v` (this version) and `type`. Requests: `import`, `load`, `prepare`,
`arm`, `run`, `collect`, `score`, `quit`, and for traffic `start`, `hold` and `stop` in the place of
`run`; `join` between the processes of one load. All but `quit` say when they must be answered,
`deadline_s`. Answers: `hello`, `imported`, `loaded`, `joined`, `prepared`, `armed`, `ran`,
`started`, `held`, `stopped`, `collected`, `scored`, `error`, and after each of them `done` with the
warnings of the request.
"""

from __future__ import annotations

import json
from typing import Any

#: Both sides must speak the same version.
VERSION = 3


def encode(kind: str, /, **fields: Any) -> bytes:
    """Return one line. NaN is refused, since it is not JSON."""
    message = {"v": VERSION, "type": kind, **fields}
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message in a line; ValueError when it is none or of another version."""
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise ValueError(f"not a message of version {VERSION}: {line[:80]!r}")
    return message
