"""The processes in which TensorRT-LLM computes, which MPI starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

#: The module that a worker runs, as it stands in its command line.
_SERVER = b"mpi4py.futures.server"


class Workers:
    """Notices the end of any worker that is there when this is made, on Linux.

    The library does not tell whoever waits for tokens that a worker is gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended: asyncio.Future[int] = loop.create_future()
        self._handles: set[int] = set()
        for pid in worker_pids():
            try:
                handle = os.pidfd_open(pid)
            except OSError:  # it has ended already
                self._note(pid)
            else:
                self._handles.add(handle)
                loop.add_reader(handle, self._see, pid, handle)

    @property
    def ended(self) -> asyncio.Future[int]:
        """Return what will be the id of the first worker that has ended."""
        return self._ended

    def close(self) -> None:
        """Watch none of them any more."""
        for handle in list(self._handles):
            self._let_go(handle)

    def _see(self, pid: int, handle: int) -> None:
        self._let_go(handle)
        self._note(pid)

    def _note(self, pid: int) -> None:
        if not self._ended.done():
            self._ended.set_result(pid)

    def _let_go(self, handle: int) -> None:
        self._handles.remove(handle)
        self._loop.remove_reader(handle)
        os.close(handle)


def worker_pids() -> list[int]:
    """Return the workers among all that this process, or the host that it is, has started.

    What MPI puts between the two may have lost its parent, and is then a child of the host's
    keeper, which is the parent of a host.
    """
    is_host = os.getsid(0) == os.getpid()
    parents = _parents()
    found, waiting = [], [os.getppid() if is_host else os.getpid()]
    while waiting:
        parent = waiting.pop()
        children = [pid for pid, its_parent in parents.items() if its_parent == parent]
        waiting += children
        found += [pid for pid in children if _is_worker(pid)]
    return sorted(found)


def _parents() -> dict[int, int]:
    """Return the parent of every process; none where the system has no such files."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name in front may hold anything, brackets too.
            stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            found[int(folder.name)] = int(stat[1])
    return found


def _is_worker(pid: int) -> bool:
    try:
        return _SERVER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
