"""Between a server and the log: `python sieve.py VARIABLE` copies its input to its output.

The key in that variable comes out as `***`. A process of its own: the one that sends requests has
no time for it. Standard library only.
"""

from __future__ import annotations

import os
import sys

_HIDDEN = b"***"


def copy(read_fd: int, write_fd: int, key: bytes) -> None:
    """Copy until the end, all at once but for what may be the first half of a key."""
    held = b""
    while chunk := os.read(read_fd, 1 << 16):
        text = (held + chunk).replace(key, _HIDDEN)
        count = next(n for n in range(len(key) - 1, -1, -1) if text.endswith(key[:n]))
        held = text[len(text) - count :]
        _write(write_fd, text[: len(text) - count])
    _write(write_fd, held)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    copy(0, 1, os.environ[sys.argv[1]].strip().encode())
