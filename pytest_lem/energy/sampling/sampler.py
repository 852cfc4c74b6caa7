"""The parent's end of the sampling process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from pytest_lem.energy.sampling.machine_probe import PROC, SYSFS
from pytest_lem.energy.sampling.pipes import Pipes
from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track

_CHILD = "pytest_lem.energy.sampling.child"
_HELLO_TIMEOUT_S = 30.0
_ANSWER_TIMEOUT_S = 10.0
_QUIT_TIMEOUT_S = 5.0


class Sampler:
    """Starts the sampling process, asks it for what it has, ends it.

    It does not raise: a series is good to have, but no measurement fails for the lack of it. Where
    the process fails, the series ends and `failure` says why.

    Attributes:
        series: all samples that were taken over.
        failure: why there are no more, in a sentence; None while there are.

    """

    def __init__(
        self,
        uuids: Sequence[str],
        interval_s: float,
        *,
        proc: Path = PROC,
        sysfs: Path = SYSFS,
    ) -> None:
        """Return when the process is about to take its first sample."""
        self.series = Series({}, interval_s=interval_s)
        self.failure: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        settings = {
            "parent_pid": os.getpid(),
            "interval_s": interval_s,
            "uuids": list(uuids),
            "proc": str(proc),
            "sysfs": str(sysfs),
        }
        try:
            self._process = _spawn(settings, self._log)
        except OSError as error:
            self._fail(f"could not be started ({error.strerror})")
        else:
            self._pipes = _pipes(self._process)
            self._hear(self._process, 0, _HELLO_TIMEOUT_S)

    @property
    def is_alive(self) -> bool:
        """Tell whether there is a process that takes samples."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Return the process id, which is also that of its session; None without a process."""
        return self._process.pid if self._process else None

    def take(self, at_least: int = 0) -> Series:
        """Take over the new samples, once there are `at_least` of them, and return all."""
        if self._process is not None:
            self._asked += 1
            self._pipes.say(json.dumps({"take": self._asked, "at_least": at_least}))
            timeout_s = _ANSWER_TIMEOUT_S + at_least * self.series.interval_s
            self._hear(self._process, self._asked, timeout_s)
        self.series.until_s = time.monotonic()
        return self.series

    def close(self) -> None:
        """End the process: asked first, then killed. Samples that were not taken over are lost."""
        if self._process is None:
            return
        _close(self._process.stdin)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_QUIT_TIMEOUT_S)
        self._end()

    def _end(self) -> None:
        """Kill the process if it is there, and let go of what belongs to it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            # In a call of a driver that hangs, not even this ends it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_QUIT_TIMEOUT_S)
            _close(process.stdin)
            _close(process.stdout)
        self._log.close()

    def _hear(self, process: subprocess.Popen[bytes], number: int, timeout_s: float) -> None:
        """Take over what the process says, up to the answer of this number."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            # An answer to an earlier request, whose reader was interrupted, is taken over as well.
            if number in [self._absorb(line) for line in self._pipes.wait(left_s)]:
                return
            if self._pipes.is_closed:
                self._fail(self._ending(process))
                return
        self._fail(f"did not answer within {timeout_s:g} s and was ended")

    def _absorb(self, line: bytes) -> int | None:
        """Take over what a line says; return the number of the answer that it ends."""
        try:
            message = json.loads(line)
        except ValueError:
            return None  # what the interpreter of this place prints at its start
        if isinstance(message, list):
            rows, looks = message
            self.series.add(rows, [_look(*look) for look in looks])
            return None
        if "devices" in message:
            self.series = _empty_series(message, self.series.interval_s)
        number: int = message["taken"]
        return number

    def _fail(self, how: str) -> None:
        self.failure = f"the sampling process {how}; the series is not complete"
        self._end()

    def _ending(self, process: subprocess.Popen[bytes]) -> str:
        """Tell how the process ended, after it said its last."""
        try:
            code = process.wait(_QUIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "fell silent and was ended"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"ended by itself with status {code} ({last or 'without a word'})"


def _spawn(settings: dict[str, Any], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child under this interpreter and import path; raises OSError."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(  # noqa: S603 - ourselves
        # -P: the current folder may hold modules of the same names as those of Python.
        [sys.executable, "-P", "-m", _CHILD, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the parent
    )


def _pipes(process: subprocess.Popen[bytes]) -> Pipes:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    assert process.stdout is not None  # noqa: S101
    return Pipes(process.stdout.fileno(), process.stdin.fileno())


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


def _empty_series(hello: dict[str, Any], interval_s: float) -> Series:
    tracks = {
        device: Track(facts["names"], Source(**facts["source"]) if facts["source"] else None)
        for device, facts in hello["devices"].items()
    }
    return Series(tracks, interval_s=interval_s, faults=hello["faults"])


def _look(time_s: float, device: str, kind: str, pids: list[int]) -> Look:
    return Look(time_s=time_s, device=device, kind=kind, pids=tuple(pids))
