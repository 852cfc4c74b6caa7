"""For all tests: pytest's own fixture for pytest runs within tests, and a backend to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["pytester"]

_NGRAM = Path(__file__).parent / "ngram"


@pytest.fixture
def ngram(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register the backend `ngram`, here and in processes started from here; return its model."""
    monkeypatch.syspath_prepend(_NGRAM)
    monkeypatch.setenv("PYTHONPATH", str(_NGRAM))
    return _NGRAM / "model"


@pytest.fixture
def survivors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], list[psutil.Process]]:
    """Mark the processes started from here on; return a function that finds those that stay.

    A process that was killed has up to ten seconds to be gone.
    """
    monkeypatch.setenv("SURVIVOR_MARK", str(tmp_path))

    def find() -> list[psutil.Process]:
        found = list(psutil.process_iter())
        for _ in range(200):
            found = [process for process in found if _mark(process) == str(tmp_path)]
            if not found:
                break
            psutil.wait_procs(found, timeout=0.05)
        return found

    return find


def _mark(process: psutil.Process) -> str | None:
    """Return the mark of a process; a zombie has none."""
    try:
        return process.environ().get("SURVIVOR_MARK") if process.pid != os.getpid() else None
    except psutil.Error:
        return None
