"""The command line as users start it, away from what surrounds the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Lem = Callable[..., "subprocess.CompletedProcess[str]"]

_SURROUNDINGS = (
    "LEM_", "PYTEST_", "CUDA_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "GITHUB_"
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what a user, a CI or the machine would be felt by; caches and locks are new."""
    for name in list(os.environ):
        if name.startswith(_SURROUNDINGS) and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LEM_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def run(tmp_path: Path) -> Lem:
    """Return a function that runs a module of Python, in an empty folder unless told where."""
    work = tmp_path / "work"
    work.mkdir()

    def start(
        module: str, *arguments: str, folder: Path = work
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.fixture
def lem(run: Lem) -> Lem:
    """Return a function that runs `lem` with arguments."""
    return lambda *arguments, **places: run("pytest_lem.cli.main", *arguments, **places)


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Return a function that registers a stranger's module in a group of entry points."""

    def install(group: str, name: str, source: str) -> None:
        folder = tmp_path / f"stranger-{name}"
        metadata = folder / f"stranger_{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"stranger_{name}.py").write_text(source)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(
            f"[{group}]\n{name} = stranger_{name}:Stranger\n"
        )
        monkeypatch.delitem(sys.modules, f"stranger_{name}", raising=False)
        monkeypatch.syspath_prepend(folder)

    return install
