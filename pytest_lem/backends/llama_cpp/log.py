"""What llama.cpp logs while it starts: the only place where it tells much of what is in force."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_STDERR = 2
_PATIENCE_S = 5.0
_PAUSE_S = 0.005
#: The last line of a start, successful or not.
_LAST = re.compile(r"listening on http|exiting due to")
_ERROR = re.compile(r"^(?:[\d.]+ )?E .*?: (.+)$", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(r"insufficient memory|out of memory|failed to allocate")


class StartLog:
    """What is written to standard error while this is entered.

    In a host process that is a file, which is only read. Anywhere else a file takes its place
    meanwhile, and what it holds is written out afterwards.
    """

    def __init__(self) -> None:
        status = os.fstat(_STDERR)
        self._is_file = stat.S_ISREG(status.st_mode)
        self._start = status.st_size if self._is_file else 0

    def __enter__(self) -> Self:
        if not self._is_file:
            self._stderr = os.dup(_STDERR)
            self._file: IO[bytes] = tempfile.TemporaryFile()
            os.dup2(self._file.fileno(), _STDERR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_file:
            text = self._read()
            os.dup2(self._stderr, _STDERR)
            os.close(self._stderr)
            self._file.close()
            os.write(_STDERR, text)

    def text(self) -> str:
        """Return what was logged, as soon as the start has come to its end.

        The engine logs from a thread of its own, which may lag behind.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            text = self._read().decode("utf-8", "replace")
            if _LAST.search(text) or time.monotonic() > deadline:
                return text
            time.sleep(_PAUSE_S)

    def _read(self) -> bytes:
        with Path(f"/proc/self/fd/{_STDERR}").open("rb") as file:
            file.seek(self._start)
            return file.read()


def first_error(log: str) -> str:
    """Return the first error in a log, empty if there is none."""
    found = _ERROR.search(log)
    return found[1].strip() if found else ""


def is_out_of_memory(log: str) -> bool:
    """Tell whether a log says that memory ran out."""
    return bool(_OUT_OF_MEMORY.search(log))
