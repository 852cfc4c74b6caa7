"""Exclusive use of devices: locks that all processes on a machine respect while they measure.

One lock for the machine and one for each GPU. Whoever measures holds its devices exclusively;
whatever else runs in a session that measures holds them shared.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pytest_lem.clock import Clock, MonotonicClock
from pytest_lem.flags import Flag

Mode = Literal["shared", "exclusive"]
Scope = Literal["machine", "device", "none"]
Tell = Callable[[str], None]

#: Names the folder of the lock files.
FOLDER_VARIABLE = "LEM_LOCK_DIR"
#: What this process or one above it holds: the machine's mode, then the GPUs held exclusively.
HELD_VARIABLE = "PYTEST_LEM_LOCK_HELD"

_MACHINE = "machine"
_PATIENCE_S = 5.0
#: An attempt takes about a millisecond of CPU time, so who waits for long does not try often.
_SHORTEST_REST_S, _LONGEST_REST_S = 0.02, 0.5
#: Not TMPDIR, which differs between sessions.
_ROOT = Path("/tmp" if os.name == "posix" else tempfile.gettempdir())  # noqa: S108 - shared by all
_UNAVAILABLE = (OSError, sqlite3.Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a test needs.

    Attributes:
        machine: exclusive where a figure covers the whole machine; that includes its GPUs.
        gpus: UUIDs of the GPUs that are used.
        gpus_mode: exclusive where the figures are those of the GPUs.

    """

    machine: Mode = "shared"
    gpus: tuple[str, ...] = ()
    gpus_mode: Mode = "shared"

    @property
    def scope(self) -> Scope:
        """Return what the claim keeps for itself."""
        if self.machine == "exclusive":
            return "machine"
        return "device" if self.gpus and self.gpus_mode == "exclusive" else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What a test had for itself.

    Attributes:
        scope: the machine, its GPUs, or nothing.
        waited_s: seconds until it had it.
        is_user_scope: whether only processes of this user respected it.

    """

    scope: Scope
    waited_s: float = 0.0
    is_user_scope: bool = False

    def flags(self, *, on_gpu: bool, reads_host: bool = False) -> frozenset[Flag]:
        """Return what a reader must know about figures of work on the GPUs, or on the CPU.

        `reads_host` is whether counters of the whole machine are read beside the GPUs'.
        """
        is_alone = self.scope == "machine" or (self.scope == "device" and on_gpu)
        flags = set() if is_alone else {Flag.CONTENDED}
        if self.scope == "device" and reads_host:
            flags.add(Flag.SHARED_HOST)
        if self.is_user_scope:
            flags.add(Flag.USER_SCOPE)
        return frozenset(flags)


class Locks:
    """The locks of one session; `tell` is given a sentence when a wait is long or a lock missing.

    Inside a test that holds locks already nothing is taken. `is_alone` is whether a session is one
    process: what was held around several of them was held for all, and so for none alone.
    """

    def __init__(self, tell: Tell, *, is_alone: bool = True, clock: Clock | None = None) -> None:
        self._folder = lock_folder()
        self._tell = tell
        self._is_alone = is_alone
        self._clock = clock or MonotonicClock()
        self._locks: dict[Path, _Lock] = {}
        self._told: set[str] = set()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Isolation]:
        """Wait until the claim can be had, and hold it while inside.

        Where no lock can be made it is told, and the isolation is none.
        """
        if held := os.environ.get(HELD_VARIABLE):
            yield Isolation(scope=_inherited(claim, held) if self._is_alone else "none")
            return
        with ExitStack() as stack:
            yield self._isolate(stack, claim)

    def _isolate(self, stack: ExitStack, claim: Claim) -> Isolation:
        start_s = self._clock.now()
        try:
            is_user_scope = self._take_all(stack, claim)
        except _UNAVAILABLE as error:
            stack.close()
            self._tell_once(f"lem: no lock, so other tests may run at the same time: {error}")
            return Isolation(scope="none", waited_s=self._clock.now() - start_s)
        os.environ[HELD_VARIABLE] = _described(claim)
        stack.callback(os.environ.pop, HELD_VARIABLE, None)
        waited_s = self._clock.now() - start_s
        return Isolation(scope=claim.scope, waited_s=waited_s, is_user_scope=is_user_scope)

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)

    def _take_all(self, stack: ExitStack, claim: Claim) -> bool:
        """Take the locks of a claim; True when one of them binds only this user."""
        wanted: list[tuple[str, Mode]] = [(_MACHINE, claim.machine)]
        if claim.machine == "shared":
            # Everybody takes them in this order, so nobody waits for one who waits for him.
            wanted += [(uuid, claim.gpus_mode) for uuid in sorted(set(claim.gpus))]
        is_user_scope = [self._take(stack, name, mode) for name, mode in wanted]
        return any(is_user_scope)

    def _take(self, stack: ExitStack, name: str, mode: Mode) -> bool:
        wait = self._patience(name, mode)
        try:
            lock = self._lock(self._folder, 0o777, name)
            stack.enter_context(lock.hold(mode, wait))
        except _UNAVAILABLE:  # above all, a file of another user that is closed to this one
            lock = self._lock(_user_folder(), 0o700, name)
            stack.enter_context(lock.hold(mode, wait))
            return True
        return False

    def _lock(self, folder: Path, folder_mode: int, name: str) -> _Lock:
        path = folder / name
        if path not in self._locks:
            _make_folder(folder, folder_mode)
            self._locks[path] = _Lock(path)
        return self._locks[path]

    def _patience(self, name: str, mode: Mode) -> Callable[[], None]:
        """Return what is done between two attempts; once it has lasted, it is told."""
        what = "this machine" if name == _MACHINE else name
        event = "to be free of other tests" if mode == "exclusive" else "to be measured no longer"
        start_s = self._clock.now()
        is_told = False

        def wait() -> None:
            nonlocal is_told
            waited_s = self._clock.now() - start_s
            if not is_told and waited_s >= _PATIENCE_S:
                is_told = True
                self._tell(f"lem: waiting for {what} {event}")
            self._clock.sleep(min(_SHORTEST_REST_S + waited_s / 10, _LONGEST_REST_S))

        return wait


class _Lock:
    """A lock for one writer or many readers, in which who is next is not overtaken.

    It is tried rather than waited for: while filelock waits, Ctrl-C is not heard, and in a process
    with several threads it tries twenty times a second, which the meters of others feel. Readers
    who relieve each other would then keep a writer out for ever, were it not for the turnstile.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, ReadWriteLock

        turnstile = path.with_name(f"{path.name}.turnstile")
        room = path.with_name(f"{path.name}.db")
        _make_file(turnstile)
        _make_file(room)
        self._turnstile = FileLock(turnstile)
        self._room = ReadWriteLock(room, is_singleton=False)

    @contextmanager
    def hold(self, mode: Mode, wait: Callable[[], None]) -> Iterator[None]:
        """Hold the lock while inside; `wait` is called between attempts to take it."""
        room = self._room
        try:
            try:
                _attempt(self._turnstile.acquire, wait)
                _attempt(room.acquire_write if mode == "exclusive" else room.acquire_read, wait)
            finally:
                self._turnstile.release(force=True)
            yield
        finally:
            room.release(force=True)


def _attempt(acquire: Callable[..., Any], wait: Callable[[], None]) -> None:
    from filelock import Timeout

    while True:
        try:
            acquire(blocking=False)
        except Timeout:
            wait()
        else:
            return


def lock_folder() -> Path:
    """Return the folder of the lock files, which all sessions on the machine share."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).absolute() if chosen else _ROOT / "pytest-lem-locks"


def _described(claim: Claim) -> str:
    exclusive = claim.gpus if claim.gpus_mode == "exclusive" else ()
    return " ".join([f"{_MACHINE}:{claim.machine}", *exclusive])


def _inherited(claim: Claim, held: str) -> Scope:
    """Return what a claim has for itself within what is held around it."""
    machine, *gpus = held.split()
    if machine == f"{_MACHINE}:exclusive":
        return "machine"
    return "device" if claim.scope == "device" and set(claim.gpus) <= set(gpus) else "none"


def _user_folder() -> Path:
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return _ROOT / f"pytest-lem-locks-{user}"


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder, of exactly this mode whatever the umask.

    The shared one has no sticky bit: with it, filelock and the kernel (fs.protected_regular)
    refuse files that belong neither to this user nor to the owner of the folder.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(mode)


def _make_file(path: Path) -> None:
    """Make a file that every user may lock; one that is there is left as it is."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o666)
    finally:
        os.close(descriptor)
