"""The keeper: a process between pytest and the host, which leaves nothing of the host behind.

What a backend starts may leave the host's process group and even its session. On Linux the keeper
is its next of kin (PR_SET_CHILD_SUBREAPER): whatever loses its parent becomes the keeper's child,
so nothing can hide. It ends when the host does, in the same way, or when pytest does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: Only what hangs in the kernel is still there so long after SIGKILL; nobody could wait for it.
_PATIENCE_S = 10
_AWAITED = (signal.SIGTERM, signal.SIGCHLD)


def put_keeper_between(pipes: tuple[int, int]) -> None:
    """Go on in a child that leads a group of its own, and keep it from here, on Linux.

    To be called before there are threads. Only the child returns. It ends when its keeper does,
    and that when its own parent does.
    """
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None).prctl
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    host = os.fork()
    if host == 0:
        os.setsid()
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        return
    for fd in pipes:
        os.close(fd)
    _keep(host)


def _keep(host: int) -> NoReturn:
    """Wait for the end of the host, bring it about when told to, and end everything after it."""
    status = None
    while status is None:
        if signal.sigwait(_AWAITED) == signal.SIGTERM:
            os.kill(host, signal.SIGKILL)
        status = _reap(host)
    _end_children(status)
    _end_as(status)


def _reap(host: int) -> int | None:
    """Take note of the children that have ended; return the status of the host if it has."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in (0, host):
            return status if pid else None


def _end_children(status: int) -> None:
    """Kill all children until there are none; those of each become ours when it ends."""
    signal.signal(signal.SIGALRM, lambda *_: _end_as(status))
    signal.alarm(_PATIENCE_S)
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = (folder / "stat").read_bytes()
            # The name in front may hold anything, brackets too.
            if int(stat.rpartition(b")")[2].split()[1]) == os.getpid():
                yield int(folder.name)


def _end_as(status: int) -> NoReturn:
    """End in the way of another process, so that pytest learns what became of it."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core dump says it all
        with contextlib.suppress(OSError):  # SIGKILL has no other meaning
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-code])
        os.kill(os.getpid(), -code)
    os._exit(code)
