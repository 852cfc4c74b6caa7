"""The machine around the work: memory, shared memory, containers, folders to write into."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import psutil

from pytest_lem.cache import cache_folder
from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.energy.exclusive import FOLDER_VARIABLE, lock_folder

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
#: With less than this, in bytes, vLLM's processes may not find enough.
LEAST_SHARED = 4 * 2**30


def look(machine: dict[str, Any], *, shared_memory: Path = SHARED_MEMORY) -> Section:
    """Describe what decides whether a run gets through."""
    shared_bytes = _size(shared_memory)
    facts = {
        "os": machine["os_release"],
        "kernel": machine["kernel"],
        "container": machine["container"],
        "memory_bytes": machine["memory_bytes"],
        "memory_available_bytes": psutil.virtual_memory().available,
        "shared_memory_bytes": shared_bytes,
        "cache_folder": _folder(cache_folder()),
        "lock_folder": _folder(lock_folder()),
    }
    problems, hints = [], []
    if shared_bytes is not None and shared_bytes < LEAST_SHARED:
        hints.append(
            f"{shared_memory} has {_size_text(shared_bytes)}, and vLLM needs 4 GiB or more; start "
            "a container with --shm-size=8g"
        )
    if not facts["cache_folder"]["writable"]:
        hints.append(
            f"the cache folder {facts['cache_folder']['path']} cannot be written, so that the "
            "observer test is run again in every session; let XDG_CACHE_HOME name another"
        )
    if not facts["lock_folder"]["writable"]:
        problems.append(
            f"the lock folder {facts['lock_folder']['path']} cannot be written, so that tests of "
            f"other users are not kept apart; let {FOLDER_VARIABLE} name one that all can write"
        )
    return Section(name="machine", facts=facts, rows=_rows(facts), problems=problems, hints=hints)


def _folder(path: Path) -> dict[str, Any]:
    return {"path": str(path), "writable": is_writable(path)}


def is_writable(folder: Path) -> bool:
    """Tell whether this user can write into a folder and its files, or make the folder."""
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), None)
    if there is None or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return False
    return there != folder or all(os.access(file, os.W_OK) for file in folder.iterdir())


def _size(folder: Path) -> int | None:
    """Return the size of the file system at a folder, None where there is none."""
    try:
        return shutil.disk_usage(folder).total
    except OSError:
        return None


def _rows(facts: dict[str, Any]) -> list[Row]:
    return [
        Row("system", f"{facts['os'] or 'unknown'}, kernel {facts['kernel']}"),
        Row("container", facts["container"] or "none that is known"),
        Row(
            "memory",
            f"{_size_text(facts['memory_available_bytes'])} of "
            f"{_size_text(facts['memory_bytes'])} available",
        ),
        Row("/dev/shm", _size_text(facts["shared_memory_bytes"])),  # noqa: S108 - a label
        Row("cache", _folder_text(facts["cache_folder"])),
        Row("locks", _folder_text(facts["lock_folder"])),
    ]


def _folder_text(folder: dict[str, Any]) -> str:
    return f"{folder['path']}, {'writable' if folder['writable'] else 'not writable'}"


def _size_text(size_bytes: int | None) -> str:
    """Return a size in GiB; below 1 GiB in MiB."""
    if size_bytes is None:
        return "unknown"
    gib = size_bytes / 2**30
    return f"{gib:.1f} GiB" if gib >= 1 else f"{1024 * gib:.0f} MiB"
