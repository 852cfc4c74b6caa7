"""What the chain needs in place of an engine: it provokes, for real, what engines do wrong.

A fault is written `NAME@PLACE`. Those of the place `import` are asked for by a variable.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

_VARIABLE = "NGRAM_FAULTS"


class Faults:
    """The faults that were asked for, by the place where they happen."""

    def __init__(self, text: str) -> None:
        self._pairs = [tuple(word.split("@")) for word in text.split()]

    def at(self, place: str) -> list[str]:
        """Return the names of those of a place."""
        return [name for name, where in self._pairs if where == place]

    def provoke(self, place: str, applied: dict[str, Any]) -> None:
        """Let those of a place happen; what they start is noted in `applied`."""
        for name in self.at(place):
            _FAULTS[name](applied)


def _fail(_: dict[str, Any]) -> None:
    raise RuntimeError("the matrix is singular\nand a second line")


def _signal_self(_: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _leave(_: dict[str, Any]) -> None:
    os._exit(3)


def _hang(_: dict[str, Any]) -> None:
    while True:
        signal.pause()


def _asker() -> int:
    """Return the process that asks: the parent of our parent, which is the host's keeper."""
    stat = Path(f"/proc/{os.getppid()}/stat").read_text(encoding="ascii")
    return int(stat.rpartition(")")[2].split()[1])


def _interrupt_asker(_: dict[str, Any]) -> None:
    """Hang, and have the asker do what it does at Ctrl-C."""
    os.kill(_asker(), signal.SIGINT)
    _hang(_)


def _alarm_asker(_: dict[str, Any]) -> None:
    """Hang, and let the asker's timer run out at once."""
    os.kill(_asker(), signal.SIGALRM)
    _hang(_)


def _kill_asker(_: dict[str, Any]) -> None:
    os.kill(_asker(), signal.SIGKILL)
    _hang(_)


def _exhaust(_: dict[str, Any]) -> None:
    """Take memory until the system, which may give 256 MiB more, gives none."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    taken = []
    while True:
        taken.append(bytearray(32 << 20))


def _print(_: dict[str, Any]) -> None:
    """Print through Python, through C and to the descriptors themselves."""
    sys.stdout.write("loading: python\n")
    ctypes.CDLL(None).puts(b"loading: c library")
    ctypes.CDLL(None).fflush(None)
    os.write(1, b"loading: descriptor \xff\n")
    os.write(2, b"loading: errors\n")


def _warn(_: dict[str, Any]) -> None:
    for _time in range(2):
        warnings.warn("this chain is deprecated", DeprecationWarning, stacklevel=2)


def _write_to_pipe(_: dict[str, Any]) -> None:
    os.write(int(sys.argv[2]), b"what engines print\n")


#: A process that outlives its parent if it is let, and says when it is ready.
_STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{}
os.write(1, b"%d" % os.getpid())
os.close(1)
while True:
    signal.pause()
"""


def _start(code: str, applied: dict[str, Any]) -> None:
    child = subprocess.Popen([sys.executable, "-c", _STUBBORN.format(code)], stdout=subprocess.PIPE)
    assert child.stdout
    applied["grandchild"] = int(child.stdout.read())


def _spawn(applied: dict[str, Any]) -> None:
    """Start a process that does not end when it is asked to."""
    _start("", applied)


def _escape(applied: dict[str, Any]) -> None:
    """Start one that has also left our session, and has no parent any more."""
    _start("if os.fork(): os._exit(0)\nos.setsid()", applied)


def _fork(applied: dict[str, Any]) -> None:
    """Fork a process that holds everything open that this one does."""
    applied["grandchild"] = os.fork()
    if applied["grandchild"] == 0:
        _hang(applied)


def _keep(applied: dict[str, Any]) -> None:
    """Keep something in the cache of an engine, and note where, and how often it was there."""
    folder = Path(os.environ["VLLM_CACHE_ROOT"])
    folder.mkdir(parents=True, exist_ok=True)
    Path(folder, str(os.getpid())).touch()
    applied["cache"] = [str(folder), len(list(folder.iterdir()))]


_FAULTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "raise": _fail,
    "sigkill": _signal_self,
    "exit": _leave,
    "hang": _hang,
    "interrupt": _interrupt_asker,
    "alarm": _alarm_asker,
    "orphan": _kill_asker,
    "oom": _exhaust,
    "print": _print,
    "warn": _warn,
    "garble": _write_to_pipe,
    "grandchild": _spawn,
    "escape": _escape,
    "fork": _fork,
    "cache": _keep,
}

Faults(os.environ.get(_VARIABLE, "")).provoke("import", {})
