"""A pytest session in a process of its own: the same for both sides, but for the plugin."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

#: What a pytest session of no tests, or of some, returns when all is well.
_FINE = {0, 5}

WITHOUT = ("-p", "no:lem")


class Cost(NamedTuple):
    """Seconds of a process."""

    cpu_s: float
    wall_s: float


def environment() -> dict[str, str]:
    """Return ours, without what would decide for pytest, hide warm bytecode, or vary."""
    dropped = ("PYTEST_", "LEM_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {**kept, "PYTHONHASHSEED": "0"}


def command(*options: str) -> list[str]:
    """Return a pytest command on which no plugin acts but pytest's own and ours."""
    others = {entry.name for entry in entry_points(group="pytest11")} - {"lem"}
    blocked = [part for name in sorted(others) for part in ("-p", f"no:{name}")]
    return [sys.executable, "-m", "pytest", "-q", *blocked, *options]


def run(arguments: Sequence[str], folder: Path, path: Path | None = None) -> str:
    """Run a command in `folder` and return its standard error; `path` joins PYTHONPATH."""
    extra = {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=environment() | extra,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _FINE:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stderr


def cost(arguments: Sequence[str], folder: Path) -> Cost:
    """Run a command and return its user and system seconds, and how long it took."""
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run(arguments, folder)
    wall_s, after = time.monotonic() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(used_s, wall_s)
