"""SHA-256 of large files, remembered: weights are read once, and not before every load.

A file is taken for unchanged while size, time of change and inode are the same, as git does.
Imports the standard library only; it runs in the host process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from pytest_lem.cache import cache_folder

#: Smaller files are hashed faster than looked up.
_LEAST_BYTES = 1 << 20
#: A file that was just written may be written again within one tick of its time stamp.
_RACY_S = 2.0


def file_sha256(path: Path) -> str:
    """Return the hash of a file's content; raises OSError as reading it does."""
    stat = path.stat()
    if stat.st_size < _LEAST_BYTES:
        return _hash(path)
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_dev]
    note = _note_of(path)
    known = _read(note)
    if known.get("state") == state and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    found = _hash(path)
    if time.time() - stat.st_mtime > _RACY_S:
        _write(note, {"state": state, "sha256": found})
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note_of(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return cache_folder() / "hashes" / f"{name[:32]}.json"


def _read(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(note: Path, content: dict[str, Any]) -> None:
    """Write in one step; where the cache cannot be written, the file is hashed again next time."""
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch = note.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(content))
        scratch.replace(note)
