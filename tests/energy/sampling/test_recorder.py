"""The sampling process of a session, for real: when it is started, kept and ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psutil
import pytest
from standin import Board, StandIn

from pytest_lem.energy.sampling.recorder import Recorder

Make = Callable[..., Recorder]
Boards = Callable[..., StandIn]


@pytest.fixture
def recorder() -> Iterator[Make]:
    """Make recorders, whose processes end with the test."""
    made: list[Recorder] = []

    def make(interval_s: float = 0.02) -> Recorder:
        made.append(Recorder(interval_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def pid_of(recorder: Recorder) -> int:
    """Return the process that samples at present."""
    assert recorder._sampler is not None
    assert recorder._sampler.pid is not None
    return recorder._sampler.pid


def children() -> set[int]:
    """Return the processes that this one has started and that still live."""
    found = psutil.Process(os.getpid()).children()
    return {child.pid for child in found if child.status() != psutil.STATUS_ZOMBIE}


def test_before_anything_is_followed_there_is_nothing(recorder: Make) -> None:
    """No process, no samples, and nothing to end."""
    before = children()
    made = recorder()
    assert (made.taken(), made.failure) == (None, None)
    made.close()
    assert children() == before


@pytest.mark.parametrize("interval_s", [0, 0.0, -1])
def test_switched_off_it_starts_no_process(recorder: Make, interval_s: float) -> None:
    """An interval of 0 means no samples, whatever is to be followed."""
    before = children()
    made = recorder(interval_s)
    made.follow([])
    made.follow(["GPU-a"])
    assert (made.taken(), made.failure) == (None, None)
    assert children() == before
    made.close()


def test_without_boards_the_machine_is_sampled(recorder: Make) -> None:
    """At the interval that was asked for, and all samples are there each time."""
    made = recorder(0.01)
    made.follow([])
    first = made.taken()
    assert first is not None
    assert "machine" in first.devices
    assert first.interval_s == 0.01
    count = len(first.times_s)
    made._sampler.take(at_least=2)
    assert len(made.taken().times_s) >= count + 2
    assert made.failure is None


def test_boards_that_are_sampled_already_need_no_new_process(
    recorder: Make, standin: Boards
) -> None:
    """Nor does work on the CPU after that on a GPU; the samples go on."""
    standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    made = recorder()
    made.follow(["GPU-a", "GPU-b"])
    pid, times_s = pid_of(made), made.taken().times_s
    for uuids in (["GPU-b", "GPU-a"], ["GPU-b"], [], ["GPU-a", "GPU-a"]):
        made.follow(uuids)
        assert pid_of(made) == pid
    assert made.taken().devices == ["machine", "GPU-a", "GPU-b"]
    assert made.taken().times_s[: len(times_s)] == times_s


def test_another_board_needs_a_new_process(recorder: Make, standin: Boards) -> None:
    """The one before has ended by then, and there is never a second one."""
    standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    before = children()
    made = recorder()
    made.follow([])
    first = pid_of(made)
    made.follow(["GPU-b"])
    assert children() - before == {pid_of(made)}
    assert pid_of(made) != first
    assert made.taken().devices == ["machine", "GPU-b"]


def test_a_board_that_is_unknown_is_asked_for_once(recorder: Make, standin: Boards) -> None:
    """The series says why it is not there; the others are sampled."""
    standin(Board(uuid="GPU-a"))
    made = recorder()
    made.follow(["GPU-a", "GPU-x"])
    pid = pid_of(made)
    made.follow(["GPU-x"])
    assert pid_of(made) == pid
    found = made.taken()
    assert found.devices == ["machine", "GPU-a"]
    assert list(found.faults) == ["GPU-x"]


def test_a_process_that_failed_is_not_started_again(recorder: Make) -> None:
    """What it took stays, the series says where it ends, and why is told."""
    made = recorder()
    made.follow([])
    series = made.taken()
    last_s = series.times_s[-1]
    psutil.Process(pid_of(made)).kill()
    before = children()
    made.taken()
    made.follow([])
    found = made.taken()
    assert found is series
    assert found.times_s[-1] == last_s
    assert found.until_s > last_s
    assert "was killed by SIGKILL" in made.failure
    assert children() <= before


def test_after_the_end_it_can_begin_anew(recorder: Make) -> None:
    """Ending it twice is no error, and what was taken is gone."""
    before = children()
    made = recorder()
    made.follow([])
    first = pid_of(made)
    made.close()
    made.close()
    assert (made.taken(), made.failure) == (None, None)
    assert children() == before
    made.follow([])
    assert pid_of(made) != first
    assert made.taken() is not None
