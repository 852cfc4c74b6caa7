"""The process between pytest and a host."""

import os
import signal
import subprocess
import sys

import pytest

#: Goes on in a child of its own; what that one does follows.
KEPT = """
import os, signal, sys
from pytest_lem.backends.host.keeper import put_keeper_between
put_keeper_between(tuple(map(int, sys.argv[1:])))
"""
#: Starts a process that has no parent any more, and another in a further session, both deaf.
ESCAPED = """
ready, told = os.pipe()
if os.fork() == 0:
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.write(told, b".")
    while True:
        signal.pause()
os.read(ready, 1)
"""


@pytest.fixture
def keep():
    """Start a keeper whose host runs some lines; both have the ends of two pipes."""
    started = []

    def start(lines):
        (read, _), (_, write) = pipes = os.pipe(), os.pipe()
        arguments = [sys.executable, "-c", KEPT + lines, str(read), str(write)]
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, pass_fds=(read, write), start_new_session=True
        )
        os.close(read)
        os.close(write)
        started.append((process, pipes[0][1], pipes[1][0]))
        return started[-1]

    yield start
    for process, *pipes in started:
        process.terminate()
        process.wait()
        process.stdout.close()
        for fd in pipes:
            os.close(fd)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
    ids=["end", "exit", "abort", "kill", "terminate"],
)
def test_a_keeper_ends_as_its_host_did(keep, lines, code):
    """Whoever waits for it learns the status, or the signal."""
    process, *_ = keep(lines)
    assert process.wait(60) == code


def test_a_host_leads_a_group_and_has_no_signal_blocked(keep):
    """It is the keeper's child, and what it starts inherits nothing unusual."""
    process, *_ = keep(
        "print(os.getppid(), os.getpid() == os.getpgid(0), signal.pthread_sigmask(0, []))"
    )
    assert process.stdout.read().decode().split() == [str(process.pid), "True", "set()"]


def test_a_keeper_does_not_hold_the_pipes(keep):
    """When the host closes its end, the other side sees that, though the keeper is still there."""
    process, _, inbox = keep("os.close(int(sys.argv[2]))\nsignal.pause()")
    assert os.read(inbox, 1) == b""
    assert process.poll() is None


@pytest.mark.parametrize(
    "end", ["", "os.kill(os.getpid(), signal.SIGKILL)"], ids=["in peace", "killed"]
)
def test_what_a_host_has_started_ends_with_it(keep, survivors, end):
    """Also what has left its group and its session, and so has no parent any more."""
    process, *_ = keep(ESCAPED + end)
    process.wait(60)
    assert survivors() == []


def test_a_keeper_that_is_told_to_end_ends_everything(keep, survivors):
    """The host may be deaf to it."""
    lines = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(flush=True)\nsignal.pause()"
    process, *_ = keep(ESCAPED + lines)
    process.stdout.readline()
    process.terminate()
    assert process.wait(60) == -signal.SIGKILL
    assert survivors() == []


def test_a_host_dies_with_its_keeper(keep, survivors):
    """Even if somebody kills the keeper itself."""
    process, *_ = keep("print(flush=True)\nsignal.pause()")
    process.stdout.readline()
    process.kill()
    assert survivors() == []
