"""NVIDIA boards for tests, without any: what they draw is written into a file, NVML reads it.

The library of `nvml.c` plays the driver in every process that has its folder in LD_LIBRARY_PATH and
the file in NVML_STANDIN. Times are seconds of CLOCK_MONOTONIC, the clock of `time.monotonic`.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from standin_layout import NUMBERS, Board, Change, State, fill

LIBRARY = "libnvidia-ml.so.1"
VARIABLE = "NVML_STANDIN"
KINDS = ("compute", "graphics", "mps")

_SOURCE = Path(__file__).with_name("nvml.c")
_EVERYTHING = "*"
_WHOLE = _LIBRARY_ITSELF = -1
_UNKNOWN_BYTES = 2**64 - 1


class StandIn:
    """The boards of one file; made by `create`, joined from any process by `attach`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        self._state = State.from_buffer(mmap.mmap(self._file.fileno(), ctypes.sizeof(State)))

    @classmethod
    def create(
        cls, path: Path, boards: Sequence[Board], driver: str = "580.82.07", cuda: int = 13000
    ) -> StandIn:
        """Write a file with these boards, which drew their idle power for an hour."""
        path.write_bytes(bytes(ctypes.sizeof(State)))
        made = cls(path)
        state = made._state
        state.start_ns = time.monotonic_ns() - 3600 * 10**9
        state.boards, state.driver, state.cuda = len(boards), driver.encode(), cuda
        for i, board in enumerate(boards):
            fill(state.board[i], board, state.start_ns)
        return made

    @classmethod
    def attach(cls) -> StandIn:
        """Join the stand-in of this process's surroundings."""
        return cls(Path(os.environ[VARIABLE]))

    def now_s(self) -> float:
        """Return the time of the boards."""
        return self._ns(None) / 1e9

    def freeze(self, at_s: float | None) -> None:
        """Stop the time of the boards at a moment, for all processes; None lets it go on."""
        self._state.frozen_ns = 0 if at_s is None else round(at_s * 1e9)

    def set_power(self, index: int, power_w: float, at_s: float | None = None) -> None:
        """Let a board draw so much from now on, or from a moment not before the last change."""
        self._append(self._board(index).power_mw, round(power_w * 1000), at_s)

    def set_reasons(self, index: int, bits: int, at_s: float | None = None) -> None:
        """Set the bits of the clocks' event reasons, as `set_power` sets the power."""
        self._append(self._board(index).reasons, bits, at_s)

    def change(self, index: int, **numbers: float) -> None:
        """Change numbers of a board at once, by their names in `Board`."""
        for name, value in numbers.items():
            if name not in NUMBERS:
                raise TypeError(f"a board has no number `{name}` that can change")
            setattr(self._board(index), name, value)

    def reset_counter(self, index: int, at_s: float | None = None) -> None:
        """Let the energy counter begin anew from 0, as after the driver was loaded anew."""
        self._board(index).reset_ns = self._ns(at_s)

    def readings(self, index: int) -> int:
        """Return how often the energy counter was read, by all processes together."""
        return sum(readings.all for readings in self._board(index).readings)

    def true_energy_j(self, index: int, from_s: float, to_s: float) -> float:
        """Return what a board drew in truth: the integral of its power."""
        from_ns, to_ns = self._ns(from_s), self._ns(to_s)
        power = self._board(index).power_mw
        changes = power.changes[: power.count]
        starts = [from_ns, *(min(max(c.from_ns, from_ns), to_ns) for c in changes[1:]), to_ns]
        spans = zip(changes, starts, starts[1:], strict=False)
        return float(sum(c.value * (end - start) for c, start, end in spans)) / 1e12

    def add_process(
        self,
        index: int,
        pid: int,
        kind: str = "compute",
        memory_bytes: int | None = None,
        mig_slice: int | None = None,
    ) -> None:
        """Put a process on a board, or on a slice of it, until it is removed."""
        with self._alone():
            place = next(p for p in self._board(index).processes if not p.pid)
            place.memory_bytes = _UNKNOWN_BYTES if memory_bytes is None else memory_bytes
            place.kind = KINDS.index(kind)
            place.slice = _WHOLE if mig_slice is None else mig_slice
            place.pid = pid

    def remove_process(self, index: int, pid: int) -> None:
        """Take a process off a board."""
        for place in self._board(index).processes:
            if place.pid == pid:
                place.pid = 0

    def fail(
        self,
        index: int | None,
        function: str,
        code: int,
        from_s: float | None = None,
    ) -> None:
        """Let a function of a board refuse with a code of NVML; None is the library's own.

        `*` is all functions of the board. Code 0 ends what was set before. Without a time it holds
        at once.
        """
        known = re.findall(r"\b(nvml\w+?)(?:_v\d)?\b", _SOURCE.read_text(encoding="utf-8"))
        if function not in {_EVERYTHING, *known}:
            raise ValueError(f"the stand-in has no function `{function}`")
        with self._alone():
            fault = self._state.fault[self._state.faults]
            fault.board = _LIBRARY_ITSELF if index is None else index
            fault.code, fault.function = code, function.encode()
            fault.from_ns = self._state.start_ns if from_s is None else self._ns(from_s)
            self._state.faults += 1

    def _board(self, index: int) -> Any:
        return self._state.board[: self._state.boards][index]

    def _ns(self, at_s: float | None) -> int:
        if at_s is not None:
            return round(at_s * 1e9)
        return self._state.frozen_ns or time.monotonic_ns()

    def _append(self, series: Any, value: int, at_s: float | None) -> None:
        with self._alone():
            from_ns = self._ns(at_s)
            if from_ns < series.changes[series.count - 1].from_ns:
                raise ValueError(
                    "a change cannot be earlier than the last one; write them in order"
                )
            series.changes[series.count] = Change(from_ns, value)
            series.count += 1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing at the same time."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def build(folder: Path) -> Path:
    """Compile the library into a folder; raises OSError where there is no C compiler."""
    library = folder / LIBRARY
    # With this name inside, a process that has loaded the file has loaded what pynvml asks for.
    named = f"-Wl,-soname,{LIBRARY}"
    subprocess.run(
        ["cc", "-std=gnu11", "-O2", "-shared", "-fPIC", named, "-o", library, _SOURCE], check=True
    )
    return library
