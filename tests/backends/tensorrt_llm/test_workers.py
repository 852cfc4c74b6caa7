"""The processes that MPI starts are found, watched, and do no harm by what they import."""

from __future__ import annotations

import asyncio
import contextlib
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.host import child
from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.workers import Workers, worker_pids

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]

OPEN = Path("/proc/self/fd")
WORDS = "mpi4py.futures.server"
#: A process that waits, behind another that may have left our session.
WAIT = "import sys; print(flush=True); sys.stdin.read()"


@contextlib.contextmanager
def waiting(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process with these words in its command line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", WAIT, *words]
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_workers_are_found_by_what_they_run() -> None:
    """In whatever session they are; others that were started are not watched."""
    with waiting(WORDS) as first, waiting("helper"), waiting("x", WORDS) as second:
        assert worker_pids() == sorted([first.pid, second.pid])
    assert worker_pids() == []


def test_the_first_end_is_noticed() -> None:
    """Of one that ends while nobody waits as well."""
    loop = asyncio.new_event_loop()
    with waiting(WORDS) as process, waiting(WORDS):
        workers = Workers(loop)
        assert not workers.ended.done()
        process.kill()
        assert loop.run_until_complete(asyncio.wait_for(workers.ended, 30)) == process.pid
        workers.close()
    loop.close()


def test_nothing_stays_open() -> None:
    """A watch that is over holds no handle of a process."""
    loop = asyncio.new_event_loop()
    before = len(list(OPEN.iterdir()))
    with waiting(WORDS), waiting(WORDS):
        during = len(list(OPEN.iterdir()))
        workers = Workers(loop)
        assert len(list(OPEN.iterdir())) == during + 2
        workers.close()
        assert len(list(OPEN.iterdir())) == during
    assert len(list(OPEN.iterdir())) == before
    assert not workers.ended.done()
    loop.close()


def test_an_end_before_anybody_looked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is gone when it is to be watched has ended."""
    with waiting() as process:
        process.kill()
    place = "pytest_lem.backends.tensorrt_llm.workers.worker_pids"
    monkeypatch.setattr(place, lambda: [process.pid])
    loop = asyncio.new_event_loop()

    assert Workers(loop).ended.result() == process.pid
    loop.close()


def test_a_load_watches_each_of_its_workers(load: Load) -> None:
    """One for each device, and none once it has ended."""
    backend, _ = load(tensor_parallel_size=2, pipeline_parallel_size=2)

    assert len(worker_pids()) == 4
    backend._engine.close()
    assert worker_pids() == []


def test_workers_may_import_the_script_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPI runs it in each of them under another name than `__main__`, and its folder is in front.

    Then it takes that away, since modules of the library may have the names of those in there.
    """
    script = Path(child.__file__)
    path, before = list(sys.path), len(list(OPEN.iterdir()))
    monkeypatch.setattr(sys, "path", [str(script.parent), *path])
    found = runpy.run_path(str(script), run_name="__worker__")

    assert found["__name__"] == "__worker__"
    assert sys.path == path
    assert len(list(OPEN.iterdir())) == before


def test_a_worker_without_that_folder_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PYTHONSAFEPATH it is not put there."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    runpy.run_path(child.__file__, run_name="__worker__")

    assert sys.path == before
