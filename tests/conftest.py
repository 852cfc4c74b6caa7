"""For all tests: pytest runs within tests, a backend to run, and boards to measure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from standin import VARIABLE, Board, StandIn, build

pytest_plugins = ["pytester", "listener"]

_NGRAM = Path(__file__).parent / "ngram"
_STANDIN = Path(__file__).parent / "standin"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no worker is left with them at the end."""
    items.sort(key=lambda item: item.path.parent != _STANDIN)


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs within tests off the page and the log of the job that runs the tests."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ngram(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register the backend `ngram`, here and in processes started from here; return its model."""
    monkeypatch.syspath_prepend(_NGRAM)
    monkeypatch.setenv("PYTHONPATH", str(_NGRAM), prepend=os.pathsep)
    return _NGRAM / "model"


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Return a function that registers a stranger's module in a group of entry points.

    It is there for this process and for those that it starts; the class is `Stranger`.
    """

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
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)

    return install


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that stands in for the NVIDIA driver's."""
    try:
        return build(tmp_path_factory.mktemp("nvml"))
    except FileNotFoundError:
        pytest.fail("tests with boards need a C compiler named `cc`: install gcc", pytrace=False)


@pytest.fixture
def standin(
    nvml_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., StandIn]:
    """Return a function that makes boards, which processes started from here take for real."""
    path = tmp_path / "boards"
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml_library.parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(_STANDIN), prepend=os.pathsep)
    return lambda *boards: StandIn.create(path, boards or [Board()])


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
