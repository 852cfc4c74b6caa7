"""Many writers in one store, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.session import Session, session_of
from pytest_lem.results.store import Store

#: A process that opens a store, waits for a line, and then does what follows.
OPEN = """
import sys
from pathlib import Path
from pytest_lem.results.session import read_session
from pytest_lem.results.store import Store
store, rest = Store(Path(sys.argv[1])), sys.argv[2:]
print("ready", flush=True)
sys.stdin.readline()
"""
SAVE = """
session = read_session(Path(rest[0]))
for name in rest[1:]:
    session.run = name
    store.save("main", session)
"""
ACCEPT = """
for key in rest:
    assert store.accept("main", None, [key]) == [key]
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that is not there yet."""
    return Store(tmp_path / "store")


@pytest.fixture
def session(call_record: Record) -> Callable[..., Session]:
    """Make a session of a run with one case."""

    def make(name: str) -> Session:
        run = Run(id=name, started="2026-01-01T10:00:00+00:00", started_monotonic=5.0)
        return session_of(run, [call_record], {})

    return make


def _both(code: str, store: Store, *arguments: list[str]) -> list[subprocess.Popen[str]]:
    """Start a process for each list of arguments, and let them go at once."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN + code, store.root, *own],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in arguments
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.close()
    return started


def _end(process: subprocess.Popen[str]) -> int:
    """Return its status once it has ended."""
    process.stdout.close()
    return process.wait()


def test_two_processes_that_save_at_once_lose_nothing(
    store: Store, session: Callable[..., Session]
) -> None:
    """Who reads meanwhile finds whole sessions only."""
    path = str(store.save("main", session("first")))
    runs = [[f"{side}{number}" for number in range(20)] for side in "ab"]
    processes = _both(SAVE, store, *([path, *own] for own in runs))
    while any(process.poll() is None for process in processes):
        assert store.read("main", Path())
    assert [_end(process) for process in processes] == [0, 0]
    found = [one.run for one in store.read("main", Path())]
    assert found == sorted([*runs[0], *runs[1], "first"])
    assert sorted(p.name for p in Path(path).parent.iterdir()) == [f"{run}.jsonl" for run in found]


def test_two_processes_that_accept_at_once_lose_nothing(
    store: Store, session: Callable[..., Session]
) -> None:
    """Both change one file, and each finds what the other has made of it."""
    found = session("r1")
    found.entries[0].state = "waiting"
    keys = [f"case{number}" for number in range(40)]
    found.entries = [replace(found.entries[0], key=key) for key in keys]
    store.save("main", found)
    processes = _both(ACCEPT, store, keys[::2], keys[1::2])
    assert [_end(process) for process in processes] == [0, 0]
    (found,) = store.read("main", Path())
    assert [entry.state for entry in found.entries] == ["joined"] * 40
