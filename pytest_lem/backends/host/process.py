"""The parent's end of a host process: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_lem.backends.host.messages import decode, encode
from pytest_lem.errors import FailureKind, LemError

_CHILD = Path(__file__).with_name("child.py")
_HELLO_TIMEOUT_S = 60.0
_QUIT_TIMEOUT_S = 10.0
#: Longer than the keeper of the host waits for what it kills.
_END_TIMEOUT_S = 15.0
#: How often a process that says nothing is looked at.
_POLL_S = 1.0


class Host:
    """A process group of its own that holds one backend, with a keeper between it and us.

    Every `ask` has a deadline. Whatever interrupts an `ask` (the deadline, a test's timeout,
    Ctrl-C) kills the whole group: half an answer is of no use, and nothing may be left running.
    `name` stands before what is said of its end, where it is one of several.
    """

    def __init__(
        self,
        log_path: Path,
        *,
        python: str | None = None,
        variables: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        self.log_path = log_path
        self._named = f"{name}: " if name else ""
        self._pid: int | None = None
        self.warnings: list[dict[str, str]] = []
        self._buffer = b""
        self._is_done = True
        child_read, self._outbox = os.pipe()
        self._inbox, child_write = os.pipe()
        try:
            self._process = _spawn(log_path, python, variables or {}, child_read, child_write)
        except OSError as error:
            os.close(self._inbox)
            os.close(self._outbox)
            raise LemError(
                f"cannot start {python or sys.executable} for the backend ({error.strerror}); "
                "check `python` in the backend's settings",
                kind=FailureKind.CONFIG,
            ) from error
        finally:
            os.close(child_read)
            os.close(child_write)
        try:
            self._pid = self._receive("hello", time.monotonic() + _HELLO_TIMEOUT_S)["pid"]
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Return the id of the process that holds the backend, which is also that of its group."""
        return self._process.pid if self._pid is None else self._pid

    @property
    def is_alive(self) -> bool:
        """Tell whether the process can still be asked."""
        return self._process.poll() is None

    def ask(self, kind: str, answer: str, *, timeout_s: float, **fields: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises LemError with the backend's own failure, with kind `engine` when the process is
        gone, and with kind `timeout` when nothing came in `timeout_s` seconds.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._killing():
            self.tell(kind, deadline_s=deadline_s, **fields)
            return self.hear(answer, deadline_s=deadline_s)

    def tell(self, kind: str, *, deadline_s: float, **fields: Any) -> None:
        """Send a request, whose answer is for `hear`; raises LemError as `ask` does.

        `deadline_s` is a time of CLOCK_MONOTONIC, which the process is told as well.
        """
        with self._killing():
            self._settle(deadline_s)
            self._write(encode(kind, deadline_s=deadline_s, **fields))
            self._is_done = False

    def hear(self, answer: str, *, deadline_s: float) -> dict[str, Any]:
        """Return the answer to the last request; raises LemError as `ask` does."""
        with self._killing():
            return self._receive(answer, deadline_s)

    def settle(self, *, timeout_s: float) -> None:
        """Read what follows an answer: the warnings of the request."""
        self._settle(time.monotonic() + timeout_s)

    def close(self) -> None:
        """End the process: asked first, then killed. Its children end with it."""
        if self.is_alive:
            with contextlib.suppress(OSError):
                os.write(self._outbox, encode("quit"))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_QUIT_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill the host with all that it has started; safe to call again."""
        if self._inbox < 0:
            return
        try:
            if self._pid is not None:
                _kill_group(self._pid)
            self._process.terminate()  # the keeper ends when nothing is left
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)
        finally:
            _kill_group(self._process.pid)
            self._process.wait()
            for fd in (self._inbox, self._outbox):
                os.close(fd)
            self._inbox = self._outbox = -1

    @contextlib.contextmanager
    def _killing(self) -> Iterator[None]:
        """Kill the process where something interrupts the block."""
        if self._inbox < 0:
            raise self._gone()
        try:
            yield
        except LemError:
            raise
        except BaseException:
            self.kill()
            raise

    def _settle(self, deadline: float) -> None:
        if not self._is_done:
            self._receive("done", deadline)

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._outbox, line) :]
        except OSError as error:
            raise self._gone() from error

    def _receive(self, expected: str, deadline: float) -> dict[str, Any]:
        message = self._message(deadline)
        if message["type"] == "done":
            self._is_done = True
            self.warnings.extend(message["warnings"])
            return message if expected == "done" else self._receive(expected, deadline)
        if message["type"] == "error":
            self._settle(deadline)
            raise LemError(message["sentence"], kind=FailureKind(message["kind"]))
        if message["type"] != expected:
            self.kill()
            raise LemError(
                f"the host process answered `{message['type']}` in place of `{expected}`; both "
                "sides must come from one release of pytest-lem",
                kind=FailureKind.ENGINE,
            )
        return message

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            self._buffer += self._chunk(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return decode(line)
        except ValueError as error:
            self.kill()
            raise LemError(
                f"the host process sent something that is no message ({error}); nothing but "
                "pytest-lem may write to its pipes",
                kind=FailureKind.ENGINE,
            ) from error

    def _chunk(self, deadline: float) -> bytes:
        while True:
            left_s = deadline - time.monotonic()
            was_alive = self.is_alive
            ready, _, _ = select.select([self._inbox], [], [], max(min(left_s, _POLL_S), 0))
            if ready and (chunk := os.read(self._inbox, 1 << 16)):
                return chunk
            # A process that it forked can hold the pipe open, so that there is no end of file.
            if ready or not was_alive:
                raise self._gone()
            if left_s <= _POLL_S:
                self.kill()
                raise LemError(
                    f"{self._named}the backend did not answer in time and was killed; raise "
                    "`measure.timeout_s` if the work is that long",
                    kind=FailureKind.TIMEOUT,
                )

    def _gone(self) -> LemError:
        """Explain the end of the process, after it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self.kill()
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
            how = f"was killed by {name}{hint}"
        else:
            how = f"ended by itself with status {code}"
        return LemError(
            f"{self._named}the host process of the backend {how}; its log says more: "
            f"{self.log_path}",
            kind=FailureKind.ENGINE,
        )


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _spawn(
    log_path: Path, python: str | None, variables: Mapping[str, str], read_fd: int, write_fd: int
) -> subprocess.Popen[bytes]:
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the interpreter is the user's own choice
            [python or sys.executable, str(_CHILD), str(read_fd), str(write_fd)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(read_fd, write_fd),
            env={**_environment(os.environ, is_same_python=python is None), **variables},
            start_new_session=True,
        )


def _environment(ours: Mapping[str, str], *, is_same_python: bool) -> dict[str, str]:
    """Return the child's environment: our import path under our interpreter, else nothing of it."""
    env = {key: value for key, value in ours.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    env["PYTHONUNBUFFERED"] = "1"
    if is_same_python:
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return env
