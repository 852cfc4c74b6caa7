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

WITHOUT = ("-p", "no:lem")

#: Would choose for pytest, keep bytecode from being written, or hide the installed package.
_DROPPED = ("PYTEST_", "LEM_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


class Cost(NamedTuple):
    """User and system seconds of a process, and how long it took."""

    cpu_s: float
    wall_s: float


def command(*options: str) -> list[str]:
    """Return a pytest command in which no plugin acts but pytest's own and ours."""
    others = sorted({entry.name for entry in entry_points(group="pytest11")} - {"lem"})
    blocked = [part for name in others for part in ("-p", f"no:{name}")]
    return [sys.executable, "-m", "pytest", "-q", *blocked, *options]


def run(arguments: Sequence[str], folder: Path, **variables: str) -> str:
    """Run a command in `folder` and return its standard error."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_DROPPED)}
    env = {**kept, "PYTHONHASHSEED": "0", **variables}
    done = subprocess.run(
        arguments, cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode not in {0, 5}:  # 5: there are no tests
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stderr


def cost(arguments: Sequence[str], folder: Path) -> Cost:
    """Run a command and return what it took."""
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run(arguments, folder)
    wall_s, after = time.monotonic() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s)
