"""Locks between real processes; only the clock of who asks is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_lem.energy.exclusive import Claim, Isolation, Locks
from pytest_lem.flags import Flag

HELD = "PYTEST_LEM_LOCK_HELD"
PLAIN = Claim(gpus=("GPU-a", "GPU-b"))
CALL = Claim(machine="exclusive")
ON_A = Claim(gpus=("GPU-a",), gpus_mode="exclusive")
ON_B = Claim(gpus=("GPU-b",), gpus_mode="exclusive")

#: Says that it waits, once, and that it holds; lets go when its input ends.
HOLDER = """
import sys
from pytest_lem.clock import MonotonicClock
from pytest_lem.energy.exclusive import Claim, Locks

class Clock(MonotonicClock):
    is_waiting = False

    def sleep(self, duration_s):
        if not self.is_waiting:
            print("waiting", flush=True)
        self.is_waiting = True
        super().sleep(duration_s)

machine, gpus_mode, *gpus = sys.argv[1:]
claim = Claim(machine=machine, gpus=tuple(gpus), gpus_mode=gpus_mode)
with Locks(print, clock=Clock()).hold(claim):
    print("held", flush=True)
    sys.stdin.read()
"""

Start = Callable[[Claim], subprocess.Popen[str]]


class Waits(Exception):  # noqa: N818 - nothing is wrong
    """Raised in place of a wait."""


@dataclass
class GivenClock:
    """A clock that passes when somebody waits; what else happens then is given."""

    on_wait: Callable[[float], None]
    time_s: float = 0.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s
        self.on_wait(self.time_s)


@dataclass
class Process:
    """What another process would do, as far as locks go."""

    sentences: list[str] = field(default_factory=list)

    def isolation(self, claim: Claim, on_wait: Callable[[float], None]) -> Isolation:
        """Hold a claim for a moment."""
        with Locks(self.sentences.append, clock=GivenClock(on_wait)).hold(claim) as isolation:
            return isolation

    def must_wait(self, claim: Claim) -> bool:
        """Tell whether a claim cannot be had at once."""
        try:
            self.isolation(claim, _raise_waits)
        except Waits:
            return True
        return False


def _raise_waits(time_s: float) -> None:
    raise Waits


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lock in a folder of the test's own, as outside of any pytest run."""
    monkeypatch.setenv("LEM_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv(HELD, raising=False)
    return tmp_path / "locks"


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a process which asks for a claim."""
    started: list[subprocess.Popen[str]] = []

    def begin(claim: Claim) -> subprocess.Popen[str]:
        surroundings = {k: v for k, v in os.environ.items() if k != HELD}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, claim.machine, claim.gpus_mode, *claim.gpus],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=surroundings,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def held(start: Start) -> Start:
    """Return a function that starts a process which holds a claim."""

    def begin(claim: Claim) -> subprocess.Popen[str]:
        process = start(claim)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    return begin


@pytest.mark.parametrize(
    ("holder", "asker", "must_wait"),
    [
        (PLAIN, PLAIN, False),
        (PLAIN, CALL, True),
        (CALL, PLAIN, True),
        (CALL, CALL, True),
        (CALL, ON_A, True),
        (ON_A, CALL, True),
        (ON_A, PLAIN, True),
        (PLAIN, ON_A, True),
        (ON_A, ON_A, True),
        (ON_A, ON_B, False),
        (ON_A, Claim(gpus=("GPU-b",)), False),
        (ON_A, Claim(), False),
    ],
)
def test_who_measures_is_alone_with_what_is_measured(
    held: Start, holder: Claim, asker: Claim, must_wait: bool
) -> None:
    """The machine, or the GPUs: tests on other GPUs go on."""
    held(holder)
    assert Process().must_wait(asker) is must_wait


def test_a_lock_ends_with_its_holder_whatever_ended_it(held: Start) -> None:
    """SIGKILL leaves no lock behind."""
    holder = held(CALL)
    assert Process().must_wait(PLAIN)
    holder.kill()
    holder.wait()
    assert not Process().must_wait(CALL)


def test_who_is_next_is_not_overtaken(held: Start, start: Start) -> None:
    """Tests that relieve each other would keep a measurement waiting for ever."""
    held(PLAIN)
    waiting = start(CALL)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waiting\n"
    assert Process().must_wait(PLAIN)
    waiting.kill()
    waiting.wait()
    assert not Process().must_wait(PLAIN)


def test_who_waits_gets_it_in_the_end(held: Start, start: Start) -> None:
    """With a real clock: the holder lets go, and the other holds."""
    holder, waiting = held(PLAIN), start(CALL)
    assert holder.stdin is not None
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waiting\n"
    holder.stdin.close()
    assert waiting.stdout.readline() == "held\n"


def test_locks_are_taken_in_one_order(held: Start) -> None:
    """Who waits for one GPU does not yet hold those after it, so two cannot block each other."""
    held(ON_A)
    seen: list[bool] = []

    def look(time_s: float) -> None:
        seen.append(Process().must_wait(ON_B))
        raise Waits

    with pytest.raises(Waits):
        Process().isolation(Claim(gpus=("GPU-b", "GPU-a"), gpus_mode="exclusive"), look)
    assert seen == [False]


@pytest.mark.parametrize(
    ("holder", "asker", "ends_after_s", "sentences"),
    [
        (CALL, PLAIN, 4.5, []),
        (CALL, PLAIN, 20, ["lem: waiting for this machine to be measured no longer"]),
        (PLAIN, CALL, 20, ["lem: waiting for this machine to be free of other tests"]),
        (ON_A, PLAIN, 20, ["lem: waiting for GPU-a to be measured no longer"]),
        (PLAIN, ON_B, 20, ["lem: waiting for GPU-b to be free of other tests"]),
    ],
)
def test_a_long_wait_is_told_once(
    held: Start, holder: Claim, asker: Claim, ends_after_s: float, sentences: list[str]
) -> None:
    """After five seconds a person wants to know; and how long it took is known afterwards."""
    process = held(holder)

    def pass_by(time_s: float) -> None:
        if time_s >= ends_after_s:
            process.kill()
            process.wait()

    asking = Process()
    isolation = asking.isolation(asker, pass_by)
    assert asking.sentences == sentences
    assert isolation.waited_s == pytest.approx(ends_after_s, abs=0.5)
    assert isolation.scope == asker.scope


def test_an_interrupted_wait_leaves_nothing_locked(held: Start) -> None:
    """Ctrl-C ends the wait; those who come later do not wait for who has given up."""
    held(PLAIN)

    def interrupt(time_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Process().isolation(ON_A, interrupt)
    assert HELD not in os.environ
    assert not Process().must_wait(PLAIN)


def test_a_fork_does_not_end_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may start processes as it likes."""
    with Locks(print).hold(CALL):
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        del os.environ[HELD]  # monkeypatch would bring it back
        assert Process().must_wait(PLAIN)
    assert not Process().must_wait(CALL)


def test_an_error_inside_ends_what_is_held() -> None:
    """The lock goes with the block."""
    locks = Locks(print)
    with pytest.raises(Waits), locks.hold(CALL):
        raise Waits
    assert not Process().must_wait(CALL)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (CALL, "machine:exclusive"),
        (PLAIN, "machine:shared"),
        (ON_A, "machine:shared GPU-a"),
    ],
)
def test_what_is_held_is_written_down_while_it_is(claim: Claim, value: str) -> None:
    """A pytest run within a test reads it, in this process or in another."""
    with Locks(print).hold(claim):
        assert os.environ[HELD] == value
    assert HELD not in os.environ


@pytest.mark.parametrize(
    ("around", "claim", "scope"),
    [
        ("machine:exclusive", CALL, "machine"),
        ("machine:exclusive", ON_A, "machine"),
        ("machine:shared", CALL, "none"),
        ("machine:shared", ON_A, "none"),
        ("machine:shared GPU-a GPU-b", ON_A, "device"),
        ("machine:shared GPU-a", Claim(gpus=("GPU-a", "GPU-b"), gpus_mode="exclusive"), "none"),
        ("machine:shared GPU-a", CALL, "none"),
        ("machine:shared GPU-a", Claim(gpus=("GPU-a",)), "none"),
    ],
)
def test_within_a_test_nothing_is_locked_again(
    monkeypatch: pytest.MonkeyPatch, folder: Path, around: str, claim: Claim, scope: str
) -> None:
    """What is measured there is as much alone as the test around it, and nobody waits for ever."""
    monkeypatch.setenv(HELD, around)
    with Locks(print).hold(claim) as isolation:
        assert isolation == Isolation(scope=scope)
        assert os.environ[HELD] == around
    with Locks(print, is_alone=False).hold(claim) as isolation:
        assert isolation == Isolation(scope="none")
    assert os.environ[HELD] == around
    assert not folder.exists()


def test_every_user_may_use_the_files(folder: Path) -> None:
    """Whatever the umask of who came first; no sticky bit, which would close them to others."""
    before = os.umask(0o077)
    try:
        assert not Process().must_wait(PLAIN)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o777
    modes = {path.name: path.stat().st_mode & 0o7777 for path in folder.iterdir()}
    names = ("machine", "GPU-a", "GPU-b")
    assert modes == {f"{name}.{kind}": 0o666 for name in names for kind in ("db", "turnstile")}


@pytest.mark.parametrize("kind", ["db", "turnstile"])
def test_a_file_that_cannot_be_opened_leaves_the_lock_of_this_user(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It binds this user's processes, and the figures say that it binds no others."""
    monkeypatch.setattr("pytest_lem.energy.exclusive._ROOT", tmp_path)
    (folder / f"GPU-a.{kind}").mkdir(parents=True)
    with Locks(print).hold(ON_A) as isolation:
        assert isolation.is_user_scope
        assert isolation.flags(on_gpu=True) == {Flag.USER_SCOPE}
        del os.environ[HELD]  # monkeypatch would bring it back
        assert Process().must_wait(ON_A)
    (own,) = tmp_path.glob("pytest-lem-locks-*")
    assert own.stat().st_mode & 0o7777 == 0o700
    assert {path.name for path in own.iterdir()} == {"GPU-a.db", "GPU-a.turnstile"}


def test_without_a_lock_the_test_runs_and_the_figures_say_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say, is no reason to end a session; others do not wait for half a lock."""
    monkeypatch.setattr("pytest_lem.energy.exclusive._ROOT", tmp_path)
    for place in (folder, tmp_path / f"pytest-lem-locks-{os.getuid()}"):
        (place / "GPU-a.db").mkdir(parents=True)
    sentences: list[str] = []
    locks = Locks(sentences.append)
    for _ in range(2):
        with locks.hold(ON_A) as isolation:
            assert isolation.flags(on_gpu=True) == {Flag.CONTENDED}
            assert HELD not in os.environ
            assert not Process().must_wait(CALL)
    (sentence,) = sentences
    assert sentence.startswith("lem: no lock, so other tests may run at the same time: ")


@pytest.mark.parametrize(
    ("scope", "on_gpu", "on_cpu"),
    [
        ("machine", set(), set()),
        ("device", set(), {Flag.CONTENDED}),
        ("none", {Flag.CONTENDED}, {Flag.CONTENDED}),
    ],
)
def test_who_was_not_alone_is_flagged(scope: str, on_gpu: set[Flag], on_cpu: set[Flag]) -> None:
    """A GPU of one's own says nothing about the CPU."""
    isolation = Isolation(scope=scope)
    assert (isolation.flags(on_gpu=True), isolation.flags(on_gpu=False)) == (on_gpu, on_cpu)


@pytest.mark.parametrize(
    ("scope", "is_shared"), [("device", True), ("machine", False), ("none", False)]
)
def test_counters_of_the_machine_beside_gpus_of_ones_own_are_flagged(
    scope: str, is_shared: bool
) -> None:
    """Packages and memory are in the figures with whatever else runs; whole machines are not."""
    flags = Isolation(scope=scope).flags(on_gpu=True, reads_host=True)
    assert (Flag.SHARED_HOST in flags) is is_shared
    assert Flag.SHARED_HOST not in Isolation(scope=scope).flags(on_gpu=True)


def test_the_library_is_imported_when_a_lock_is_taken() -> None:
    """Not before: it takes longer to import than many a test to run."""
    program = """
import sys
from pytest_lem.energy.exclusive import Claim, Locks

locks = Locks(print)
print("filelock" in sys.modules)
with locks.hold(Claim()):
    print("filelock" in sys.modules)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert output.stdout.split() == [b"False", b"True"]
